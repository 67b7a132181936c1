# No message of the day, and no package news: the prompt comes first.
rm -f /etc/motd /etc/update-motd.d/*
: > /root/.hushlogin
chmod 0700 /root
# Byte code of Python's own library is made on the first import instead of shipped: a quarter of its size.
find /usr/lib/python3* /usr/share/python3 -name __pycache__ -prune -exec rm -rf {} +
