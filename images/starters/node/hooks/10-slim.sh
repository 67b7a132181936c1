# Debian's npm brings the tools its modules are built with: two thirds of the image and four fifths of its files. npm runs without them.
cd /usr/share/nodejs
rm -rf @babel @types @webassemblyjs ajv ajv-keywords async async-es babel-* caniuse-lite core-js core-js-compat core-js-pure es-abstract \
    eslint eslint-* esquery handlebars istanbul istanbul-* lodash lodash-* neo-async regenerate-unicode-properties terser webassemblyjs \
    web-streams-polyfill webpack webpack-*
rm -rf /usr/include
find /usr/lib -name '*.a' -delete
find /usr/bin -xtype l -lname '*share/nodejs*' -delete

# Proof: a package is made, installed into another, and its script runs.
mkdir /tmp/made /tmp/user
cd /tmp/made
npm init --yes
npm pack
cd /tmp/user
npm init --yes
npm pkg set scripts.check='node --version'
npm install --offline --no-audit ../made/made-1.0.0.tgz
npm run check
npm exec --offline --call 'npm ls'
cd /
rm -rf /tmp/made /tmp/user /root/.npm
