#!/bin/sh
# A production installation: systemd units behind nginx. Safe to repeat; it is also how an upgrade is put in place. docs/install.md.
set -eu

SOURCE=/opt/playground
SETTINGS=/etc/playground/playground.env

say() { printf '%s\n' "$*"; }
stop() { say "$*" >&2; exit 1; }

[ "$(id -u)" = 0 ] || stop "Run this as root: it installs packages, units and a site."
[ "$(readlink -f "$(dirname "$0")/..")" = "$SOURCE" ] || stop "The source tree must be in $SOURCE: git clone it there."
[ -d /run/systemd/system ] || stop "This machine does not run systemd. For a first look without it: make run."

if [ ! -f "$SETTINGS" ]; then
    install -d -m 0755 /etc/playground
    install -m 0600 "$SOURCE/deploy/playground.env.example" "$SETTINGS"
    stop "Made $SETTINGS. Put your host name, database and Redis there, then run this again."
fi
! grep -q 'PASSWORD@' "$SETTINGS" || stop "$SETTINGS still has the example's PASSWORD: put the real ones, or delete the line."

set -a
. "$SETTINGS"
set +a
[ "${PLAYGROUND_STATE:-/var/lib/playground}" = /var/lib/playground ] || stop "The units keep the state in /var/lib/playground: unset PLAYGROUND_STATE."
host=${PLAYGROUND_HOSTS%%,*}
[ -n "${PLAYGROUND_REDIS_URL:-}" ] || stop "Set PLAYGROUND_REDIS_URL in $SETTINGS: the private Redis is of \`make run\` only."
[ -n "$host" ] || stop "Set PLAYGROUND_HOSTS in $SETTINGS."

DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends nginx openssl
cd "$SOURCE"
/usr/bin/python3 -m deploy.setup --production

if [ ! -e /etc/playground/tls/fullchain.pem ]; then
    say "No certificate yet: making a self-signed one. docs/install.md says how to get a real one."
    install -d -m 0700 /etc/playground/tls
    openssl req -x509 -newkey rsa:2048 -nodes -days 90 -subj "/CN=$host" -addext "subjectAltName=DNS:$host" \
        -keyout /etc/playground/tls/privkey.pem -out /etc/playground/tls/fullchain.pem 2>/dev/null
fi
sed "s/learn\.example\.org/$host/; s/127\.0\.0\.1:8000/127.0.0.1:${PLAYGROUND_PORT:-8000}/" \
    deploy/nginx/playground.conf > /etc/nginx/sites-available/playground
ln -sf ../sites-available/playground /etc/nginx/sites-enabled/playground
nginx -t -q

install -m 0644 deploy/systemd/playground*.service deploy/systemd/playground.target /etc/systemd/system/
systemctl daemon-reload
systemctl enable -q playground.target playground-web playground-engine playground-beat playground-registry
systemctl start playground-host
# Sandboxes live on through this: only the worker, the pages, beat and the registry are started anew.
systemctl restart playground-registry playground-engine playground-beat playground-web
systemctl start playground.target
systemctl reload-or-restart nginx

say "The site is at https://$host/. Its first administrator: cd $SOURCE && deploy/manage createsuperuser"
