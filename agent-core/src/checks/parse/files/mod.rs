//! Files with a format of their own: disk images, executables, certificates, package databases.
