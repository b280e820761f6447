/*
 * inject - run a command and make one system call of it, or of its children, fail
 *
 *	inject list PROGRAM [ARG...]            number and name of each call, on descriptor 9
 *	inject MODE N PROGRAM [ARG...]          MODE befalls the Nth of these calls
 *
 * MODE is an errno (a number): the call is not executed and fails; "short": a
 * read or write gets half its size; "kill": all processes of the command are
 * killed before the call; "one": only the process that makes it. "+ERRNO": a
 * disk that stays broken: from the Nth call on, of all processes, every call
 * fails that such a disk would refuse, if it is about something below /etc or
 * /var. A full one (ENOSPC, EDQUOT) refuses to write and to make names; any
 * other (EIO, EROFS) to remove them and to change owners and modes, too. All
 * of them can still be read.
 *
 * Only calls that change files, or whose failure a program must care for, are
 * counted, over all processes in the order in which they are made. A seccomp
 * filter stops at these and lets all others pass at full speed. Exit status:
 * the command's, 128 + signal when it was killed, 124 when no call was the Nth
 * (there was no fault), 125 when it could not be run.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#define UNHIT 124
#define BROKEN 125
#define REPORT 9
#define MAX_PIDS 256

static const struct call {
	int number;
	const char *name;
} calls[] = {
#define CALL(name) { SYS_##name, #name }
	CALL(openat), CALL(openat2), CALL(read), CALL(write), CALL(pwrite64), CALL(lseek), CALL(ftruncate), CALL(fsync),
	CALL(fdatasync), CALL(flock), CALL(newfstatat), CALL(fstat), CALL(statx), CALL(fchmod), CALL(fchmodat),
	CALL(fchown), CALL(fchownat), CALL(utimensat), CALL(flistxattr), CALL(fgetxattr), CALL(fsetxattr),
	CALL(fremovexattr), CALL(mkdirat), CALL(unlinkat), CALL(renameat), CALL(renameat2), CALL(linkat),
	CALL(symlinkat), CALL(readlinkat), CALL(getdents64), CALL(getcwd), CALL(clone), CALL(clone3), CALL(execve),
	CALL(pipe2), CALL(wait4), CALL(poll), CALL(exit_group),
#ifdef SYS_open
	CALL(open), CALL(creat), CALL(stat), CALL(lstat), CALL(chmod), CALL(chown), CALL(lchown), CALL(mkdir),
	CALL(rmdir), CALL(unlink), CALL(rename), CALL(link), CALL(symlink), CALL(readlink), CALL(fork), CALL(vfork),
#endif
#undef CALL
};
#define CALLS (sizeof calls / sizeof calls[0])

enum mode { LIST, FAIL, SHORT, KILL_ALL, KILL_ONE, BROKEN_DISK };

/*
 * What a broken disk refuses: the place of the path, or of the descriptor, among
 * the arguments, and of the descriptor that the path is relative to.
 */
enum { NONE = -1 };
enum refuses { ANY_DISK, NOT_FULL, IF_OPEN_WRITES };

static const struct refusal {
	int number;
	int path, base, fd;
	enum refuses when;
} refusals[] = {
	{ SYS_write, NONE, NONE, 0, ANY_DISK }, { SYS_pwrite64, NONE, NONE, 0, ANY_DISK },
	{ SYS_ftruncate, NONE, NONE, 0, ANY_DISK }, { SYS_fsync, NONE, NONE, 0, ANY_DISK },
	{ SYS_fdatasync, NONE, NONE, 0, ANY_DISK }, { SYS_fsetxattr, NONE, NONE, 0, ANY_DISK },
	{ SYS_mkdirat, 1, 0, NONE, ANY_DISK }, { SYS_renameat, 3, 2, NONE, ANY_DISK },
	{ SYS_renameat2, 3, 2, NONE, ANY_DISK }, { SYS_linkat, 3, 2, NONE, ANY_DISK },
	{ SYS_symlinkat, 2, 1, NONE, ANY_DISK }, { SYS_openat, 1, 0, NONE, IF_OPEN_WRITES },
	{ SYS_openat2, 1, 0, NONE, IF_OPEN_WRITES },
	{ SYS_unlinkat, 1, 0, NONE, NOT_FULL }, { SYS_fchmod, NONE, NONE, 0, NOT_FULL },
	{ SYS_fchmodat, 1, 0, NONE, NOT_FULL }, { SYS_fchown, NONE, NONE, 0, NOT_FULL },
	{ SYS_fchownat, 1, 0, NONE, NOT_FULL }, { SYS_utimensat, 1, 0, NONE, NOT_FULL },
	{ SYS_fremovexattr, NONE, NONE, 0, NOT_FULL },
#ifdef SYS_open
	{ SYS_mkdir, 0, NONE, NONE, ANY_DISK }, { SYS_rename, 1, NONE, NONE, ANY_DISK },
	{ SYS_link, 1, NONE, NONE, ANY_DISK }, { SYS_symlink, 1, NONE, NONE, ANY_DISK },
	{ SYS_open, 0, NONE, NONE, IF_OPEN_WRITES }, { SYS_creat, 0, NONE, NONE, ANY_DISK },
	{ SYS_unlink, 0, NONE, NONE, NOT_FULL }, { SYS_rmdir, 0, NONE, NONE, NOT_FULL },
	{ SYS_chmod, 0, NONE, NONE, NOT_FULL }, { SYS_chown, 0, NONE, NONE, NOT_FULL },
	{ SYS_lchown, 0, NONE, NONE, NOT_FULL },
#endif
};
#define REFUSALS (sizeof refusals / sizeof refusals[0])

static struct {
	enum mode mode;
	int number;
	long at, count;
	int is_hit;
} plan;

static pid_t pids[MAX_PIDS];
static size_t pid_count;

static void die(const char *what)
{
	perror(what);
	exit(BROKEN);
}

/* In the child: be traced at the calls of the table, then run the command. */
static void run_command(char **argv)
{
	struct sock_filter filter[CALLS + 3];
	struct sock_fprog program = { .len = CALLS + 3, .filter = filter };

	filter[0] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < CALLS; i++)
		filter[i + 1] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i].number,
							     (unsigned char)(CALLS - i), 0);
	filter[CALLS + 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	filter[CALLS + 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRACE);
	if (ptrace(PTRACE_TRACEME, 0, 0, 0) < 0 || raise(SIGSTOP) != 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		die("inject");
	(void)close(REPORT);
	execvp(argv[0], argv);
	die(argv[0]);
}

static const char *call_name(int number)
{
	for (size_t i = 0; i < CALLS; i++)
		if (calls[i].number == number)
			return calls[i].name;
	return "?";
}

static void kill_all(void)
{
	for (size_t i = 0; i < pid_count; i++)
		(void)kill(pids[i], SIGKILL);
}

/* Make the call that PID is about to do fail in the planned way. */
static void strike(pid_t pid, struct user_regs_struct *regs)
{
	plan.is_hit = 1;
	if (plan.mode == KILL_ALL) {
		kill_all();
		return;
	}
	if (plan.mode == KILL_ONE) {
		(void)kill(pid, SIGKILL);
		return;
	}
	if (plan.mode == SHORT) {
		if ((regs->orig_rax != SYS_read && regs->orig_rax != SYS_write) || regs->rdx < 2) {
			plan.is_hit = 0;
			return;
		}
		regs->rdx /= 2;
	} else {
		/* a failed close would leave the descriptor open; exit_group cannot fail */
		if (regs->orig_rax == SYS_exit_group) {
			plan.is_hit = 0;
			return;
		}
		regs->orig_rax = (unsigned long long)-1;
		regs->rax = (unsigned long long)-(long long)plan.number;
	}
	if (ptrace(PTRACE_SETREGS, pid, 0, regs) < 0)
		die("PTRACE_SETREGS");
}

static unsigned long long argument(const struct user_regs_struct *regs, int place)
{
	const unsigned long long all[] = { regs->rdi, regs->rsi, regs->rdx, regs->r10, regs->r8, regs->r9 };

	return all[place];
}

/* A string of the process, cut to fit; "" where there is none. */
static void read_string(pid_t pid, unsigned long long at, char *text, size_t size)
{
	size_t length = 0;

	for (; at != 0 && length + sizeof(long) < size; length += sizeof(long)) {
		long word;

		errno = 0;
		word = ptrace(PTRACE_PEEKDATA, pid, at + length, 0);
		if (errno != 0)
			break;
		memcpy(text + length, &word, sizeof word);
		if (memchr(&word, '\0', sizeof word) != NULL)
			return;
	}
	text[length] = '\0';
}

/* Where a descriptor of the process leads to, AT_FDCWD: its working directory; followed by "/" and NAME. */
static void name_of(pid_t pid, int fd, const char *name, char *path, size_t size)
{
	char link[64], target[PATH_MAX];
	ssize_t length;

	(void)snprintf(link, sizeof link, fd == AT_FDCWD ? "/proc/%d/cwd" : "/proc/%d/fd/%d", (int)pid, fd);
	length = readlink(link, target, sizeof target - 1);
	target[length < 0 ? 0 : length] = '\0';
	(void)snprintf(path, size, "%s/%s", target, name);
}

/* Does an open make the file, or open it to be written? */
static int open_writes(pid_t pid, const struct user_regs_struct *regs)
{
	unsigned long long flags = regs->orig_rax == SYS_openat ? regs->rdx : regs->rsi;

	if (regs->orig_rax == SYS_openat2)
		flags = (unsigned long long)ptrace(PTRACE_PEEKDATA, pid, regs->rdx, 0);
	return (flags & O_ACCMODE) != O_RDONLY || (flags & O_CREAT) != 0;
}

/* Is a call one that the broken disk refuses? */
static int is_refused(pid_t pid, const struct user_regs_struct *regs)
{
	char path[2 * PATH_MAX] = "", name[PATH_MAX];
	int is_full = plan.number == ENOSPC || plan.number == EDQUOT;

	for (size_t i = 0; i < REFUSALS; i++) {
		const struct refusal *row = &refusals[i];

		if ((unsigned long long)row->number != regs->orig_rax)
			continue;
		if ((row->when == NOT_FULL && is_full) || (row->when == IF_OPEN_WRITES && !open_writes(pid, regs)))
			return 0;
		if (row->path == NONE)
			name_of(pid, (int)argument(regs, row->fd), "", path, sizeof path);
		else {
			read_string(pid, argument(regs, row->path), name, sizeof name);
			if (*name == '/')
				(void)snprintf(path, sizeof path, "%s", name);
			else
				name_of(pid, row->base == NONE ? AT_FDCWD : (int)argument(regs, row->base), name, path,
					sizeof path);
		}
		if (row->when == IF_OPEN_WRITES && is_full && access(path, F_OK) == 0)
			return 0; /* nothing is made */
		return strncmp(path, "/etc/", 5) == 0 || strncmp(path, "/var/", 5) == 0;
	}
	return 0;
}

static void at_call(pid_t pid)
{
	struct user_regs_struct regs;

	if (ptrace(PTRACE_GETREGS, pid, 0, &regs) < 0)
		return;
	plan.count++;
	if (plan.mode == LIST)
		dprintf(REPORT, "%ld %s\n", plan.count, call_name((int)regs.orig_rax));
	else if (plan.mode == BROKEN_DISK ? plan.count >= plan.at && is_refused(pid, &regs) : plan.count == plan.at)
		strike(pid, &regs);
}

static void note_child(pid_t pid)
{
	unsigned long child = 0;

	if (ptrace(PTRACE_GETEVENTMSG, pid, 0, &child) == 0 && pid_count < MAX_PIDS)
		pids[pid_count++] = (pid_t)child;
}

/* Follow all processes until the last has ended; the first one's status. */
static int follow(pid_t first)
{
	int status, result = BROKEN, is_running = 0;
	pid_t pid;

	while ((pid = waitpid(-1, &status, __WALL)) > 0) {
		int event = status >> 16, signal = 0;

		if (WIFEXITED(status) || WIFSIGNALED(status)) {
			if (pid == first)
				result = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
			continue;
		}
		if (event == PTRACE_EVENT_EXEC)
			is_running = 1;
		else if (event == PTRACE_EVENT_SECCOMP && is_running)
			at_call(pid);
		else if (event == PTRACE_EVENT_FORK || event == PTRACE_EVENT_VFORK || event == PTRACE_EVENT_CLONE)
			note_child(pid);
		else if (event == 0 && WSTOPSIG(status) != SIGSTOP)
			signal = WSTOPSIG(status);
		(void)ptrace(PTRACE_CONT, pid, 0, signal);
	}
	return result;
}

int main(int argc, char **argv)
{
	int status, result, words;
	pid_t pid;

	if (argc >= 3 && strcmp(argv[1], "list") == 0) {
		plan.mode = LIST;
		words = 2;
	} else if (argc >= 4) {
		plan.mode = strcmp(argv[1], "kill") == 0    ? KILL_ALL
			    : strcmp(argv[1], "one") == 0   ? KILL_ONE
			    : strcmp(argv[1], "short") == 0 ? SHORT
			    : argv[1][0] == '+'		    ? BROKEN_DISK
							    : FAIL;
		plan.number = atoi(argv[1]);
		plan.at = atol(argv[2]);
		words = 3;
	} else {
		fprintf(stderr, "inject: see the head of its source\n");
		return BROKEN;
	}
	pid = fork();
	if (pid < 0)
		die("fork");
	if (pid == 0)
		run_command(argv + words);
	pids[pid_count++] = pid;
	if (waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status) ||
	    ptrace(PTRACE_SETOPTIONS, pid, 0,
		   PTRACE_O_TRACESECCOMP | PTRACE_O_TRACEEXEC | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK |
			   PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL) < 0 ||
	    ptrace(PTRACE_CONT, pid, 0, 0) < 0)
		die("ptrace");
	result = follow(pid);
	return plan.mode == LIST || plan.is_hit ? result : UNHIT;
}
