//! Configuration as text: what an administrator or a package wrote.
