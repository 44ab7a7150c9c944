//! What `/proc` says of one process, and of sockets.
