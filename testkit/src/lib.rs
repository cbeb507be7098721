//! SMTP test server.
