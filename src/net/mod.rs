//! Sockets: resolving, dialling, TLS, proxies.
