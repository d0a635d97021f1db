#!/usr/bin/env bash
# Is the Tributary on this host alive? Exit code 0 if its /live answers 200 within three seconds. For images that have
# no HTTP client. The port is the argument, or that of TRIBUTARY__METRICS__LISTEN, or 9090.
listen=${TRIBUTARY__METRICS__LISTEN:-127.0.0.1:9090}
port=${1:-${listen##*:}}
exec 3<>"/dev/tcp/127.0.0.1/$port" || exit 1
printf 'GET /live HTTP/1.0\r\n\r\n' >&3
read -r -t 3 _ status _ <&3
[[ $status == 200 ]]
