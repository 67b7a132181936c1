# What a container logs goes to its standard output and error, where `docker logs` finds it.
rm -f /etc/nginx/sites-enabled/default
mkdir -p /var/log/nginx
ln -sf /dev/stdout /var/log/nginx/access.log
ln -sf /dev/stderr /var/log/nginx/error.log
