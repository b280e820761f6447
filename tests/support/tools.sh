# tools.sh - to be sourced with $support set to this directory: builds its C programs
#
# Sets `tools`, the directory that they are in: $POSTMULTI_TOOLS, else
# build/support of the source tree.

tools=${POSTMULTI_TOOLS:-${support%/tests/support}/build/support}

# tool_build PROGRAM FLAG... - compile PROGRAM when its source is newer
tool_build()
{
	program=$1; shift
	source=$support/${program%.so}.c
	# shellcheck disable=SC3013 # dash and bash have -nt
	[ "$tools/$program" -nt "$source" ] && return
	mkdir -p "$tools" &&
		${CC:-cc} -std=c11 -O1 -Wall -Wextra -o "$tools/$program.$$" "$source" "$@" &&
		mv "$tools/$program.$$" "$tools/$program" || exit 125
}

tool_build ptyrun
tool_build logsink
tool_build loopback
tool_build nosleep.so -fPIC -shared -ldl
