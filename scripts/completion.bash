# shellcheck shell=bash
# completion.bash - how bash completes postmulti and postmulti-lua
#
# What can follow is asked of the command itself, `postmulti --complete WORD...`:
# lua/postmulti/completion.lua. Here is only what concerns bash. `make install`
# puts this where bash-completion finds it; without that package, source it.

# _postmulti_line - the words up to the cursor as the command will see them, in $line: bash has cut them at each of
# COMP_WORDBREAKS, so those with no blank between them are joined. $place has where each begins in COMP_WORDS.
_postmulti_line()
{
	local rest=${COMP_LINE:0:COMP_POINT} part trimmed index
	line=() place=()
	for ((index = 0; index <= COMP_CWORD; index++)); do
		part=${COMP_WORDS[index]}
		trimmed=${rest#"${rest%%[![:space:]]*}"}
		if [[ $index == 0 || $trimmed != "$rest" || -z $rest ]]; then
			line+=("$part")
			place+=("$index")
		else
			line[${#line[@]} - 1]+=$part
		fi
		rest=${trimmed#"$part"}
	done
}

# _postmulti_command INDEX - complete the command that begins at a word of the line
_postmulti_command()
{
	local offset
	for offset in _comp_command_offset _command_offset; do
		if declare -F "$offset" >/dev/null; then
			"$offset" "${place[$1]}"
			return
		fi
	done
	if (($1 == ${#line[@]} - 1)); then
		mapfile -t COMPREPLY < <(compgen -c -- "$word")
	else
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
	fi
}

_postmulti()
{
	local line place word quote='' breaks=${COMP_WORDBREAKS//[^=:@]/} known='' answer index
	COMPREPLY=()
	_postmulti_line
	for index in "${!line[@]}"; do
		word=${line[index]}
		case $word in
		[\"\']*) quote=${word:0:1} word=${word#?} word=${word%"$quote"} ;;
		*) quote='' word=${word//\\/} ;;
		esac
		line[index]=$word
	done
	[[ -z $breaks || -n $quote ]] || known=${word%"${word##*[$breaks]}"}
	while IFS= read -r answer; do
		case $answer in
		' nospace') compopt -o nospace 2>/dev/null ;;
		' command '*)
			_postmulti_command "${answer##* }"
			return ;;
		*)
			answer=${answer#"$known"}
			[[ -n $quote ]] || printf -v answer %q "$answer"
			COMPREPLY+=("$answer") ;;
		esac
	done < <("$1" --complete "${line[@]:1}" 2>/dev/null </dev/null)
}

_postmulti_lua()
{
	local word=${COMP_WORDS[COMP_CWORD]} index script=''
	COMPREPLY=()
	for ((index = 1; index < COMP_CWORD; index++)); do
		case ${COMP_WORDS[index]} in
		-e) index=$((index + 1)) ;;
		-?*) ;;
		*) script=${COMP_WORDS[index]} ;;
		esac
	done
	if [[ $word == -* && -z $script ]]; then
		mapfile -t COMPREPLY < <(compgen -W '-e -i --lint --help --version' -- "$word")
	elif [[ ${COMP_WORDS[COMP_CWORD - 1]} != -e || -n $script ]]; then
		compopt -o filenames 2>/dev/null
		mapfile -t COMPREPLY < <(compgen -f -- "$word")
	fi
}

complete -F _postmulti postmulti
complete -F _postmulti_lua postmulti-lua
