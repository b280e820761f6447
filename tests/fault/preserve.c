/*
 * preserve - what an edit must keep of a file, on many generated files
 *
 *      preserve [FILES [SEED]]         as root; default 10,000 files
 *
 * Each file is put together from lines of which the generator knows what they
 * are: comments, blank lines of every kind, logical lines with continuations and
 * with comments inside, duplicates, CR LF, NUL, odd blanks, very long lines, a
 * stray continuation at the start, a last line without its newline. It gets a
 * mode, an owner, extended attributes, an ACL, perhaps a second name (a hard
 * link), and is reached by its name or through symbolic links. Then it is edited
 * as the commands do it: locked, read, edited by main_cf_apply() or
 * master_edit_apply(), installed.
 *
 * From the parts, not by reading, follows what must be there afterwards: every
 * byte of all that was not edited, at its place. Of the logical lines that were
 * edited only these are left: comments and blank lines inside them, and one
 * line `NAME = VALUE` in main.cf, which is compared too; in master.cf an entry in
 * a layout that is not looked at, whose fields and arguments must be the right
 * ones. Mode, owner, ACL and attributes are as before, links lead where they led
 * and the second name has the old text. Prints "N passed, N failed", in files.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "buffer.h"
#include "main_cf.h"
#include "master_cf.h"
#include "master_edit.h"
#include "transaction.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

enum {
	MOST_LINES = 400,
	MOST_PIECES = 60,
	NAMES = 7,
	FILES = 10000,
};

/* What a physical line is to its piece. */
enum part {
	OWN,    /* the start of a logical line, or a continuation */
	INSIDE, /* a comment or blank line */
};

struct line {
	size_t start, end; /* in the text */
	enum part part;
};

/* A logical line, or comments and blank lines between two. */
struct piece {
	size_t first, count; /* lines */
	int name;            /* index of its name, -1: nothing that can be edited */
	bool edited;
};

static struct {
	struct buffer text;
	struct line line[MOST_LINES];
	struct piece piece[MOST_PIECES];
	size_t lines, pieces;
	char fields[MOST_PIECES][7][24]; /* of master.cf */
	int arguments[MOST_PIECES];
} file;

static const char *const names[NAMES] = { "relayhost", "myhostname", "a", "smtpd_banner", "mynetworks_style", "x_y",
					  "relayhosts" };
static const char *const services[NAMES] = { "smtp", "pickup", "127.0.0.1:10025", "a/b", "smtps", "x", "smtp-slow" };

static uint64_t seed;
static long passed, failed, changed;
static char why[512];

/* below - a number from 0 to LIMIT - 1 */
static unsigned below(unsigned limit)
{
	seed = seed * 6364136223846793005U + 1442695040888963407U;
	return (unsigned)(seed >> 33) % limit;
}

/* one_of - a string of several */
#define ONE_OF(array) ((array)[below((unsigned)COUNT(array))])

/* must - what the test itself needs */
static void must(int result, const char *what)
{
	if (result < 0) {
		perror(what);
		exit(2);
	}
}

/* wrong - note what is; always false */
__attribute__((format(printf, 1, 2))) static bool wrong(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	(void)vsnprintf(why, sizeof why, format, ap);
	va_end(ap);
	return false;
}

/* ---------------------------------------------------------------- generator */

static const char *const blanks[] = { " ", "\t", "  ", " \t", "\v", "\f" };

/* add_line - the text added since `start` is a line */
static void add_line(size_t start, enum part part)
{
	static const char *const ends[] = { "\n", "\n", "\n", "\n", "\r\n", " \n", "\t\r\n" };

	buffer_add_string(&file.text, ONE_OF(ends));
	file.line[file.lines++] = (struct line){ start, file.text.length, part };
}

/* add_ignored - a comment or a blank line */
static void add_ignored(void)
{
	static const char *const text[] = { "", "# comment", "#", " # within", "\t#x = y", "##", "  ",
					    "#relayhost = old", "# \xc3\xa4\xff", "\v", " #-o a=b" };
	size_t start = file.text.length;

	buffer_add_string(&file.text, ONE_OF(text));
	if (below(40) == 0 && memchr(file.text.data + start, '#', file.text.length - start) != NULL)
		for (unsigned i = below(3000); i > 0; i--)
			buffer_add_string(&file.text, "#.");
	add_line(start, INSIDE);
}

/* add_some_ignored - perhaps, inside a logical line */
static void add_some_ignored(void)
{
	while (below(5) == 0)
		add_ignored();
}

/* add_words - a value, or a part of it; master.cf: no NUL, so that the entry can be edited */
static void add_words(bool master)
{
	static const char *const word[] = { "x", "hash:/etc/aliases", "$a", "[b.example]:25", "\"q\"", "a,b", "=",
					    "a=b", "#no", "\\", "\xe2\x82\xac" };

	for (unsigned count = below(4); count > 0; count--) {
		buffer_add_string(&file.text, ONE_OF(word));
		buffer_add_string(&file.text, ONE_OF(blanks));
	}
	if (below(60) == 0)
		for (unsigned count = below(9000); count > 0; count--)
			buffer_add_char(&file.text, 'l');
	if (!master && below(40) == 0)
		buffer_add(&file.text, "n\0ul", 4);
}

/* start_piece - the next one */
static struct piece *start_piece(int name)
{
	struct piece *piece = &file.piece[file.pieces++];

	*piece = (struct piece){ .first = file.lines, .name = name };
	return piece;
}

/* end_piece - with all lines added since it started */
static void end_piece(struct piece *piece)
{
	piece->count = file.lines - piece->first;
}

/* add_between - comments and blank lines */
static void add_between(void)
{
	struct piece *piece = start_piece(-1);

	for (unsigned count = below(4); count > 0; count--)
		add_ignored();
	end_piece(piece);
}

/* add_stray - a continuation of nothing, at the start of the file only */
static void add_stray(void)
{
	struct piece *piece = start_piece(-1);
	size_t start = file.text.length;

	buffer_add_string(&file.text, " stray = x");
	add_line(start, OWN);
	end_piece(piece);
}

/* add_setting - of main.cf */
static void add_setting(int name)
{
	static const char *const equals[] = { " = ", "=", " =", "= ", "\t=\t" };
	struct piece *piece = start_piece(name);
	size_t start = file.text.length;

	buffer_add_string(&file.text, names[name]);
	buffer_add_string(&file.text, ONE_OF(equals));
	add_words(false);
	add_line(start, OWN);
	for (unsigned count = below(3) == 0 ? below(5) : 0; count > 0; count--) {
		add_some_ignored();
		start = file.text.length;
		buffer_add_string(&file.text, ONE_OF(blanks));
		buffer_add_string(&file.text, "c ");
		add_words(false);
		add_line(start, OWN);
	}
	end_piece(piece);
}

/* add_service - of master.cf; each field and argument may stand on a line of its own */
static void add_service(int name)
{
	static const char *const field[][3] = {
		{ "inet", "unix", "unix-dgram" }, { "y", "n", "-" }, { "y", "n", "-" }, { "y", "n", "-" },
		{ "-", "60", "1000?" }, { "-", "1", "0" },
	};
	static const char *const argument[] = { "-o", "-v", "-osyslog_name=x", "{ an argument }", "flags=D", "${a}",
						"\\" };
	char (*fields)[24] = file.fields[file.pieces];
	int *arguments = &file.arguments[file.pieces];
	struct piece *piece = start_piece(name);
	size_t start = file.text.length;

	(void)snprintf(fields[0], 24, "%s", services[name]);
	for (int i = 1; i < 7; i++)
		(void)snprintf(fields[i], 24, "%s", field[i - 1][below(3)]);
	*arguments = 0;
	for (int i = 0; i < 8 || (i < 20 && below(3) > 0); i++) {
		const char *word = i < 7 ? fields[i] : i == 7 ? "prog" : ONE_OF(argument);

		if (i > 0 && below(8) == 0) {
			add_line(start, OWN);
			add_some_ignored();
			start = file.text.length;
		}
		if (i > 0)
			buffer_add_string(&file.text, blanks[below(4)]); /* the others separate nothing here */
		buffer_add_string(&file.text, word);
		if (strcmp(word, "-o") == 0)
			buffer_add_string(&file.text, below(2) == 0 ? " a=b" : " { a = b c }");
		*arguments += i >= 7;
	}
	add_line(start, OWN);
	end_piece(piece);
}

/* generate - a file */
static void generate(bool master)
{
	buffer_reset(&file.text);
	file.lines = file.pieces = 0;
	add_between();
	if (!master && below(10) == 0)
		add_stray();
	for (unsigned count = 1 + below(9); count > 0; count--) {
		int name = (int)below(NAMES);

		if (master)
			add_service(name);
		else
			add_setting(name);
		add_between();
	}
	if (below(5) == 0 && file.lines > 0) {
		struct line *last = &file.line[file.lines - 1];

		last->end--;
		file.text.data[--file.text.length] = '\0';
		if (last->end == last->start) /* nothing is left of it */
			file.lines--;
		for (size_t i = file.pieces; i-- > 0;)
			if (file.piece[i].first + file.piece[i].count > file.lines)
				file.piece[i].count--;
	}
}

/* ------------------------------------------------------------ edits of main.cf */

/* A piece of what must be there. */
static struct buffer expected;

/* expect_line - a line as it was */
static void expect_line(const struct line *line)
{
	buffer_add(&expected, file.text.data + line->start, line->end - line->start);
}

/* expect_main - what an edited main.cf must be */
static void expect_main(const struct main_cf_edit *edits, size_t count)
{
	buffer_reset(&expected);
	for (size_t p = 0; p < file.pieces; p++) {
		const struct piece *piece = &file.piece[p];
		const struct main_cf_edit *edit = NULL;

		for (size_t i = 0; i < count; i++)
			if (piece->name >= 0 && strcmp(names[piece->name], edits[i].name) == 0)
				edit = &edits[i];
		for (size_t i = piece->first; i < piece->first + piece->count; i++) {
			const struct line *line = &file.line[i];

			if (edit == NULL || line->part == INSIDE)
				expect_line(line);
			else if (edit->operation == MAIN_CF_COMMENT) {
				buffer_add_char(&expected, '#');
				expect_line(line);
			} else if (edit->operation == MAIN_CF_SET && i == piece->first) {
				buffer_add_string(&expected, edit->name);
				buffer_add_string(&expected, " = ");
				buffer_add_string(&expected, edit->value);
				buffer_add_char(&expected, '\n');
			}
		}
	}
}

/* is_set - has the file a setting of that name? */
static bool is_set(const char *name)
{
	for (size_t p = 0; p < file.pieces; p++)
		if (file.piece[p].name >= 0 && strcmp(names[file.piece[p].name], name) == 0)
			return true;
	return false;
}

/* expect_appended - names that were not there come at the end, sorted */
static void expect_appended(const struct main_cf_edit *edits, size_t count)
{
	const char *last = "";

	for (;;) {
		const struct main_cf_edit *next = NULL;

		for (size_t i = 0; i < count; i++)
			if (edits[i].operation == MAIN_CF_SET && !is_set(edits[i].name) &&
			    strcmp(edits[i].name, last) > 0 && (next == NULL || strcmp(edits[i].name, next->name) < 0))
				next = &edits[i];
		if (next == NULL)
			return;
		last = next->name;
		if (expected.length > 0 && expected.data[expected.length - 1] != '\n')
			buffer_add_char(&expected, '\n');
		buffer_add_string(&expected, next->name);
		buffer_add_string(&expected, " = ");
		buffer_add_string(&expected, next->value);
		buffer_add_char(&expected, '\n');
	}
}

/* edit_main - up to three edits of different names; the new text goes to `out` */
static bool edit_main(const struct buffer *text, struct buffer *out)
{
	static const char *const values[] = { "", "new", "a b\tc", "x = y", "# no comment" };
	struct main_cf_edit edits[3];
	size_t count = 1 + below(3);
	unsigned first = below(NAMES);
	struct fault fault;

	for (size_t i = 0; i < count; i++) {
		static const enum main_cf_operation operation[] = { MAIN_CF_SET, MAIN_CF_SET, MAIN_CF_REMOVE,
								    MAIN_CF_COMMENT };
		const char *name = names[(first + i) % NAMES], *value = ONE_OF(values);

		edits[i] = (struct main_cf_edit){ .operation = ONE_OF(operation), .name = name,
						  .name_length = strlen(name), .value = value,
						  .value_length = strlen(value) };
	}
	if (main_cf_apply(text->data, text->length, edits, count, out, &fault) < 0)
		return wrong("%s", fault.text);
	expect_main(edits, count);
	expect_appended(edits, count);
	return true;
}

/* check_main - byte for byte */
static bool check_main(const struct buffer *now)
{
	if (now->length == expected.length && memcmp(now->data, expected.data, now->length) == 0)
		return true;
	return wrong("the text is not what it must be");
}

/* ----------------------------------------------------------- edits of master.cf */

static struct {
	enum master_operation operation;
	char selector[64], type[16];
	const char *value;
	bool appends;
} asked;

/* mark_edited - the entries that the edit selects, the first alone where it replaces; were there any? */
static bool mark_edited(const char *name, const char *type)
{
	bool found = false;

	for (size_t p = 0; p < file.pieces; p++) {
		struct piece *piece = &file.piece[p];

		piece->edited = piece->name >= 0 && strcmp(file.fields[p][0], name) == 0 &&
				strcmp(file.fields[p][1], type) == 0;
		found = found || piece->edited;
	}
	return found;
}

/* edit_master - one edit; the new text goes to `out` */
static bool edit_master(const struct buffer *text, struct buffer *out)
{
	static const char *const types[] = { "inet", "unix", "unix-dgram" };
	static const struct {
		enum master_operation operation;
		const char *rest, *value;
	} kinds[] = {
		{ MASTER_SET_SERVICE, "", NULL },        { MASTER_REMOVE_SERVICE, "", "" },
		{ MASTER_COMMENT_SERVICE, "", "" },      { MASTER_SET_FIELD, "/chroot", "n" },
		{ MASTER_SET_FIELD, "/wakeup", "77" },   { MASTER_SET_OVERRIDE, "/syslog_name", "new one" },
		{ MASTER_REMOVE_OVERRIDE, "/a", "" },
	};
	unsigned kind = below((unsigned)COUNT(kinds)), piece = below((unsigned)file.pieces);
	const char *name = file.piece[piece].name < 0 ? ONE_OF(services) : file.fields[piece][0];
	static char entry[96];
	struct master_edit edit = { .operation = kinds[kind].operation };
	struct fault fault;

	asked.operation = edit.operation;
	(void)snprintf(asked.type, sizeof asked.type, "%s",
		       file.piece[piece].name < 0 ? ONE_OF(types) : file.fields[piece][1]);
	(void)snprintf(asked.selector, sizeof asked.selector, "%s/%s%s", name, asked.type, kinds[kind].rest);
	(void)snprintf(entry, sizeof entry, "%s %s - - - - 9 new -o b=c", name, asked.type);
	asked.value = kinds[kind].value != NULL ? kinds[kind].value : entry;
	asked.appends = !mark_edited(name, asked.type) && edit.operation == MASTER_SET_SERVICE;
	edit.selector = asked.selector;
	edit.selector_length = strlen(asked.selector);
	edit.value = asked.value;
	edit.value_length = strlen(asked.value);
	if (master_edit_apply(text->data, text->length, NULL, &edit, 1, out, &fault) < 0)
		return wrong("%s: %s", asked.selector, fault.text);
	return true;
}

/* What is left to look at of an edited master.cf. */
struct rest {
	const char *at, *end;
};

/* take_line - a line as it was comes next */
static bool take_line(struct rest *rest, const struct line *line, const char *before)
{
	size_t length = line->end - line->start, extra = strlen(before);

	if ((size_t)(rest->end - rest->at) < length + extra || memcmp(rest->at, before, extra) != 0 ||
	    memcmp(rest->at + extra, file.text.data + line->start, length) != 0)
		return wrong("%s: line %zu is not there as it was", asked.selector, (size_t)(line - file.line) + 1);
	rest->at += length + extra;
	return true;
}

/* take_inside - the comments and blank lines inside an entry */
static bool take_inside(struct rest *rest, const struct piece *piece)
{
	for (size_t i = piece->first; i < piece->first + piece->count; i++)
		if (file.line[i].part == INSIDE && !take_line(rest, &file.line[i], ""))
			return false;
	return true;
}

/* check_entry - has a new entry the right fields? P: the piece it was; its own arguments stay */
static bool check_entry(const struct master_service *service, size_t p)
{
	bool is_new = asked.operation == MASTER_SET_SERVICE;

	for (int i = 0; i < 7; i++) {
		const char *want = file.fields[p][i];

		if (is_new)
			want = i < 2 ? want : i == 6 ? "9" : "-";
		else if (asked.operation == MASTER_SET_FIELD && i == (asked.value[0] == 'n' ? 4 : 5))
			want = asked.value;
		if (strcmp(service->field[i], want) != 0)
			return wrong("%s: field %d is \"%s\", not \"%s\"", asked.selector, i, service->field[i], want);
	}
	if (strcmp(service->words.item[0], is_new ? "new" : "prog") != 0)
		return wrong("%s: another command", asked.selector);
	/* -o takes one word more; one that is set may be new or not, one that is removed takes two words with it. */
	if (asked.operation == MASTER_SET_FIELD && service->words.count < (size_t)file.arguments[p])
		return wrong("%s: %zu words of %d", asked.selector, service->words.count, file.arguments[p]);
	return true;
}

/* take_entry - an entry in any layout: a line, and those that continue it by four blanks; compared with piece P */
static bool take_entry(struct rest *rest, size_t p)
{
	struct master_service service = MASTER_SERVICE_INIT;
	struct buffer joined = BUFFER_INIT;
	enum master_brace brace;
	struct fault fault;
	bool good;

	do {
		const char *newline = memchr(rest->at, '\n', (size_t)(rest->end - rest->at));

		if (newline == NULL)
			break;
		buffer_add(&joined, rest->at, (size_t)(newline - rest->at));
		rest->at = newline + 1;
	} while (rest->end - rest->at > 4 && memcmp(rest->at, "    ", 4) == 0 &&
		 strchr("# \t\r\n\v\f", rest->at[4]) == NULL);
	if (master_service_parse(&service, joined.data, joined.length, &brace, &fault) < 0)
		good = wrong("%s: %s", asked.selector, fault.text);
	else if (asked.appends)
		good = strcmp(service.words.item[0], "new") == 0 || wrong("%s: another entry", asked.selector);
	else
		good = check_entry(&service, p);
	master_service_free(&service);
	buffer_free(&joined);
	return good;
}

/* take_edited - what became of an entry that was edited; `again`: one of that name was replaced before it */
static bool take_edited(struct rest *rest, size_t p, bool again)
{
	const struct piece *piece = &file.piece[p];

	switch (asked.operation) {
	case MASTER_SET_SERVICE:
		return (again || take_entry(rest, p)) && take_inside(rest, piece);
	case MASTER_REMOVE_SERVICE:
		return take_inside(rest, piece);
	case MASTER_COMMENT_SERVICE:
		for (size_t i = piece->first; i < piece->first + piece->count; i++)
			if (!take_line(rest, &file.line[i], file.line[i].part == OWN ? "#" : ""))
				return false;
		return true;
	default:
		return take_inside(rest, piece) && take_entry(rest, p);
	}
}

/* check_master - piece by piece */
static bool check_master(const struct buffer *now)
{
	struct rest rest = { now->data, now->data + now->length };
	bool again = false;

	for (size_t p = 0; p < file.pieces; p++) {
		const struct piece *piece = &file.piece[p];

		if (piece->edited) {
			if (!take_edited(&rest, p, again))
				return false;
			again = true;
			continue;
		}
		for (size_t i = piece->first; i < piece->first + piece->count; i++)
			if (!take_line(&rest, &file.line[i], ""))
				return false;
	}
	/* A newline that the last line had not got is supplied where something follows it. */
	if (asked.appends) {
		if (file.text.length > 0 && file.text.data[file.text.length - 1] != '\n' && rest.at < rest.end)
			rest.at++;
		if (!take_entry(&rest, 0))
			return false;
	}
	return rest.at == rest.end || wrong("%s: %zu bytes more than there should be", asked.selector,
					    (size_t)(rest.end - rest.at));
}

/* ------------------------------------------------------------------- file */

/* An ACL as the kernel keeps it: version, then tag, permissions, id of each entry. */
static const unsigned char acl[] = {
	2, 0, 0, 0, 1, 0, 6, 0, 255, 255, 255, 255, 2, 0, 4, 0, 7, 0, 0, 0, 4, 0, 4, 0, 255, 255, 255, 255,
	16, 0, 4, 0, 255, 255, 255, 255, 32, 0, 0, 0, 255, 255, 255, 255,
};

struct attributes {
	struct stat st;
	char label[2][16];
	ssize_t label_size[2];
	unsigned char acl[sizeof acl];
	ssize_t acl_size;
};

/* read_attributes - of the file */
static void read_attributes(struct attributes *attributes)
{
	memset(attributes, 0, sizeof *attributes);
	must(stat("file", &attributes->st), "file");
	attributes->label_size[0] = getxattr("file", "user.note", attributes->label[0], 16);
	attributes->label_size[1] = getxattr("file", "trusted.note", attributes->label[1], 16);
	attributes->acl_size = getxattr("file", "system.posix_acl_access", attributes->acl, sizeof attributes->acl);
}

/* write_file - "file", with all that it has */
static void write_file(void)
{
	static const mode_t modes[] = { 0644, 0600, 0640, 0444, 0666, 0755, 0400, 04711 };
	const struct timespec old[2] = { { .tv_sec = 1000000000 }, { .tv_sec = 1000000000 } };
	int fd = open("file", O_WRONLY | O_CREAT | O_EXCL, 0600);

	must(fd, "file");
	must(write(fd, file.text.data, file.text.length) == (ssize_t)file.text.length ? 0 : -1, "file");
	must(fchown(fd, below(3), below(3)), "file");
	must(fchmod(fd, ONE_OF(modes)), "file");
	if (below(2) == 0)
		(void)fsetxattr(fd, "user.note", "kept", 4, 0); /* not every file system has it */
	if (below(2) == 0)
		must(fsetxattr(fd, "trusted.note", "kept too", 8, 0), "file");
	if (below(4) == 0)
		must(fsetxattr(fd, "system.posix_acl_access", acl, sizeof acl, 0), "ACL of the file");
	must(futimens(fd, old), "file");
	must(close(fd), "file");
}

/* The ways to the file. */
static const struct way {
	const char *path;
	const char *link[2], *target[2]; /* symbolic links to be made */
} ways[] = {
	{ "file", { NULL, NULL }, { NULL, NULL } },
	{ "./file", { NULL, NULL }, { NULL, NULL } },
	{ "link", { "link", NULL }, { "file", NULL } },
	{ "d/link", { "d/link", NULL }, { "../file", NULL } },
	{ "link", { "link", "d/link" }, { "d/link", "../file" } },
};

/* read_text - what is in a file now */
static void read_text(const char *path, struct buffer *text)
{
	int fd = open(path, O_RDONLY);
	ssize_t got;

	must(fd, path);
	buffer_reset(text);
	while (buffer_reserve(text, 65536) && (got = read(fd, text->data + text->length, 65536)) > 0)
		text->length += (size_t)got;
	(void)close(fd);
}

/* check_attributes - all but what says when */
static bool check_attributes(const struct attributes *old)
{
	struct attributes now;

	read_attributes(&now);
	if (now.st.st_mode != old->st.st_mode || now.st.st_uid != old->st.st_uid || now.st.st_gid != old->st.st_gid)
		return wrong("mode %o of %u:%u instead of %o of %u:%u", now.st.st_mode, now.st.st_uid, now.st.st_gid,
			     old->st.st_mode, old->st.st_uid, old->st.st_gid);
	if (now.st.st_nlink != 1)
		return wrong("it has %lu names", (unsigned long)now.st.st_nlink);
	if (memcmp(now.label, old->label, sizeof now.label) != 0 || now.label_size[0] != old->label_size[0] ||
	    now.label_size[1] != old->label_size[1])
		return wrong("another extended attribute");
	if (now.acl_size != old->acl_size || memcmp(now.acl, old->acl, sizeof now.acl) != 0)
		return wrong("another ACL");
	return true;
}

/* check_links - they are there and lead where they led; the second name has the old text */
static bool check_links(const struct way *way, bool has_twin)
{
	struct buffer text = BUFFER_INIT;
	char target[64];
	bool good = true;

	for (int i = 0; i < 2 && way->link[i] != NULL && good; i++) {
		ssize_t length = readlink(way->link[i], target, sizeof target - 1);

		target[length < 0 ? 0 : length] = '\0';
		good = strcmp(target, way->target[i]) == 0 ||
		       wrong("%s is no link to %s", way->link[i], way->target[i]);
	}
	if (good && has_twin) {
		read_text("twin", &text);
		good = (text.length == file.text.length && memcmp(text.data, file.text.data, text.length) == 0) ||
		       wrong("the second name has another text");
	}
	buffer_free(&text);
	if (good && (access("file.tmp", F_OK) == 0 || access("link.tmp", F_OK) == 0 || access("d/link.tmp", F_OK) == 0))
		good = wrong("a temporary file is left");
	return good;
}

/* edit - lock, read, change, install; false: see why */
static bool edit(const char *path, bool master)
{
	struct transaction t = TRANSACTION_INIT;
	struct buffer out = BUFFER_INIT;
	struct fault fault;
	bool good;

	if (transaction_begin(&t, path, 0, &fault) < 0)
		return wrong("%s", fault.text);
	if (t.text.length != file.text.length || memcmp(t.text.data, file.text.data, t.text.length) != 0)
		good = wrong("what is read is not what is in the file");
	else
		good = (master ? edit_master : edit_main)(&t.text, &out);
	if (good && transaction_commit(&t, out.data, out.length, &fault) < 0)
		good = wrong("%s", fault.text);
	transaction_rollback(&t);
	buffer_free(&out);
	return good;
}

/* try - one file */
static bool try(bool master)
{
	const struct way *way = &ONE_OF(ways);
	bool has_twin = below(6) == 0, good, is_same;
	struct attributes old;
	struct buffer now = BUFFER_INIT;

	generate(master);
	write_file();
	if (has_twin)
		must(link("file", "twin"), "twin");
	for (int i = 0; i < 2 && way->link[i] != NULL; i++)
		must(symlink(way->target[i], way->link[i]), way->link[i]);
	read_attributes(&old);
	good = edit(way->path, master);
	if (good) {
		read_text("file", &now);
		good = (master ? check_master : check_main)(&now);
	}
	is_same = good && now.length == file.text.length && memcmp(now.data, file.text.data, now.length) == 0;
	changed += good && !is_same;
	/* A file that was not changed is the same one, with both its names. */
	if (is_same && has_twin)
		must(unlink("twin"), "twin");
	good = good && check_attributes(&old) && check_links(way, access("twin", F_OK) == 0);
	buffer_free(&now);
	return good;
}

/* sweep - remove what a try has made */
static void sweep(void)
{
	static const char *const made[] = { "file", "twin", "link", "d/link" };

	for (size_t i = 0; i < COUNT(made); i++)
		(void)unlink(made[i]);
}

int main(int argc, char **argv)
{
	char directory[] = "/dev/shm/preserve.XXXXXX";
	long count = argc > 1 ? strtol(argv[1], NULL, 10) : FILES;

	file.text = (struct buffer)BUFFER_INIT;
	expected = (struct buffer)BUFFER_INIT;
	if (mkdtemp(directory) == NULL || chdir(directory) < 0 || mkdir("d", 0755) < 0) {
		perror(directory);
		return 2;
	}
	for (long i = 0; i < count; i++) {
		seed = (argc > 2 ? strtoull(argv[2], NULL, 10) : 1) * 1000003 + (uint64_t)i;
		if (try(i % 2 == 1)) {
			passed++;
		} else if (++failed <= 10) {
			(void)printf("%s of file %ld: %s\n", i % 2 == 1 ? "master.cf" : "main.cf", i, why);
		}
		sweep();
	}
	if (rmdir("d") < 0 || chdir("/") < 0 || rmdir(directory) < 0)
		perror(directory);
	buffer_free(&file.text);
	buffer_free(&expected);
	(void)printf("%ld files were changed by their edit\n", changed);
	(void)printf("%ld passed, %ld failed\n", passed, failed);
	return failed > 0;
}
