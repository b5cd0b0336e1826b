#!/bin/sh
# Runs as root in a container whose files are those of Debian's essential packages, none of them set up yet.
# The same order as debootstrap's second stage: users first, then what the packages' scripts need to run at all.
set -eu
export PATH=/usr/sbin:/usr/bin:/sbin:/bin DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true LC_ALL=C
packages=/floe-packages
mkdir -p /var/lib/dpkg/info /var/lib/dpkg/updates /var/log /tmp
touch /var/lib/dpkg/status /var/lib/dpkg/available
chmod 1777 /tmp
cp /usr/share/base-passwd/passwd.master /etc/passwd
cp /usr/share/base-passwd/group.master /etc/group
ln -sf mawk /usr/bin/awk
mkdir -p /etc/dpkg/dpkg.cfg.d /etc/apt/apt.conf.d
cat > /etc/dpkg/dpkg.cfg.d/floe <<'END'
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/man/*
path-exclude=/usr/share/info/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/lintian/*
force-unsafe-io
END
printf 'APT::Install-Recommends "false";\nAcquire::Languages "none";\nAPT::Update::Post-Invoke { "rm -f /var/cache/apt/*.bin || true"; };\nDPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };\n' > /etc/apt/apt.conf.d/floe
printf '#!/bin/sh\nexit 101\n' > /usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
dpkg --force-depends --install "$packages"/base-passwd_*.deb
dpkg --force-depends --install "$packages"/base-files_*.deb
dpkg --force-depends --unpack --force-confnew --force-overwrite "$packages"/*.deb
dpkg --configure --pending --force-depends
rm -rf "$packages" /var/cache/apt/* /var/lib/apt/lists/* /var/log/dpkg.log /var/cache/debconf/*-old
dpkg --audit
