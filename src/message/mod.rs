//! A mail record to RFC 5322 bytes.
