# prelude.sh - what every step of a scenario can call
#
#	primary LINE...              put lines at the end of the primary's main.cf
#	conf DIR LINE...             put lines at the end of DIR/main.cf
#	registry TEXT                put `multi_instance_directories = TEXT` there
#	multi                        put there what -e init writes
#	tree NAME [LINE...]          directories, main.cf, master.cf of postfix-NAME, not registered
#	member NAME GROUP ENABLE     tree with name, group (- for none) and enable
#	three                        multi, and members in (mta, y), out (mta, n), odd (no group, y)
#	mail QUEUE NAME              a file in a queue directory, owned by the mail owner
#
# All but three leave registration to the scenario. A line `name = value` takes
# the place of an earlier one with that name. The files look long unchanged, so
# that no program waits for them or reads them twice.
# shellcheck shell=sh

conf()
{
	file=$1/main.cf; shift
	for line; do
		[ ! -f "$file" ] || sed -i "/^${line%%[ =]*} =/d" "$file"
		printf '%s\n' "$line" >>"$file"
	done
	touch -d '2024-01-02 00:00' "$file"
}

primary()
{
	conf /etc/postfix "$@"
}

registry()
{
	primary "multi_instance_directories = $1"
}

multi()
{
	# shellcheck disable=SC2016 # a reference for Postfix
	primary 'multi_instance_wrapper = ${command_directory}/postmulti -p --' 'multi_instance_enable = yes'
}

tree()
{
	name=postfix-$1; shift
	mkdir -p "/etc/$name" "/var/spool/$name" && install -d -o postfix -m 700 "/var/lib/$name"
	cp /etc/postfix/master.cf.proto "/etc/$name/master.cf"
	printf '%s\n' "queue_directory = /var/spool/$name" "data_directory = /var/lib/$name" \
		'master_service_disable = inet' 'authorized_submit_users =' \
		"$(grep '^compatibility_level = ' /etc/postfix/main.cf || echo 'compatibility_level = 3.6')" \
		"myhostname = mail.example.com" "alias_maps =" >"/etc/$name/main.cf"
	touch -d '2024-01-02 00:00' "/etc/$name/main.cf"
	[ $# -eq 0 ] || conf "/etc/$name" "$@"
}

member()
{
	tree "$1" "multi_instance_name = postfix-$1"
	[ "$2" = - ] || conf "/etc/postfix-$1" "multi_instance_group = $2"
	[ "$3" = - ] || conf "/etc/postfix-$1" "multi_instance_enable = $3"
}

three()
{
	multi
	member in mta yes
	member out mta no
	member odd - yes
	registry '/etc/postfix-in /etc/postfix-out /etc/postfix-odd'
}

mail()
{
	mkdir -p "$1" && printf 'C' >"$1/$2" && chown postfix "$1/$2" && chmod 700 "$1/$2"
}
