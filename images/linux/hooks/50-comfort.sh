# No message of the day, and no package news: the prompt comes first.
rm -f /etc/motd /etc/update-motd.d/*
: > /root/.hushlogin
chmod 0700 /root
# tldr reads its own pages only beside a cache.
mkdir -p /var/cache/tldr/tldr-pages/pages.en
# Root's .bashrc loads completions when they are first needed; this would load them into every login shell.
rm -f /etc/profile.d/bash_completion.sh
