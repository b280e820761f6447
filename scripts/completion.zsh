#compdef postmulti
# completion.zsh - how zsh completes postmulti: what can follow is asked of the command itself, see completion.bash

local -a answers suffix
local note

answers=("${(@f)$("${words[1]}" --complete "${(@Q)words[2,CURRENT]}" 2>/dev/null </dev/null)}")
note=${answers[1]}
case $note in
' command '*)
	shift "${note##* }" words
	((CURRENT -= ${note##* }))
	_normal
	return ;;
' nospace')
	suffix=(-S '')
	shift answers ;;
esac
compadd "${suffix[@]}" -- "${answers[@]}"
