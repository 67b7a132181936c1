# In a container pip may install beside Debian's packages, and the program is called `python`.
rm -f /usr/lib/python3*/EXTERNALLY-MANAGED
ln -sf python3 /usr/bin/python
find /usr/lib/python3* /usr/share/python* -name __pycache__ -prune -exec rm -rf {} +
