//! What the operating system reports, in the words Node has for it.

use std::borrow::Cow;
use std::io;

use super::{Code, Error};

/// What the operating system said, in Node's words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SystemError {
    /// Name such as `ECONNREFUSED`.
    pub code: String,
    /// Negative errno, as Node reports it.
    pub errno: i32,
    /// `connect`, `read`, `write`, `getaddrinfo`, `open`, …
    pub syscall: &'static str,
    /// Peer address, where one is known.
    pub address: Option<String>,
    /// Peer port, where one is known.
    pub port: Option<u16>,
    /// File path or host name, where one is concerned.
    pub path: Option<String>,
}

impl Error {
    /// A socket error with Node's wording: `connect ECONNREFUSED 127.0.0.1:25`.
    pub fn socket(source: &io::Error, syscall: &'static str) -> Self {
        let code = errno_name(source);
        let message = format!("{syscall} {code}");
        Self::new(Code::Socket, message).command("CONN").fatal().system(SystemError {
            code: code.into_owned(),
            errno: -source.raw_os_error().unwrap_or_default(),
            syscall,
            ..SystemError::default()
        })
    }

    /// A file that cannot be read, in Node's wording: `ENOENT: no such file or directory, open '/x'`.
    pub fn file(source: &io::Error, syscall: &'static str, path: &str) -> Self {
        let code = errno_name(source);
        let text = match &*code {
            "ENOENT" => "no such file or directory",
            "EACCES" => "permission denied",
            "EISDIR" => "illegal operation on a directory",
            "ENOTDIR" => "not a directory",
            _ => "cannot be read",
        };
        // Node names the path when it opens a file, not when it reads on.
        let path = Some(path).filter(|_| syscall == "open");
        let place = path.map(|path| format!(" '{path}'")).unwrap_or_default();
        Self::new(Code::Stream, format!("{code}: {text}, {syscall}{place}")).command("API").system(
            SystemError {
                code: code.into_owned(),
                errno: -source.raw_os_error().unwrap_or_default(),
                syscall,
                path: path.map(str::to_owned),
                ..SystemError::default()
            },
        )
    }
}

/// Node's name for an operating system error.
fn errno_name(error: &io::Error) -> Cow<'static, str> {
    use io::ErrorKind as K;
    let name = match error.kind() {
        K::ConnectionRefused => "ECONNREFUSED",
        K::ConnectionReset => "ECONNRESET",
        K::ConnectionAborted => "ECONNABORTED",
        K::HostUnreachable => "EHOSTUNREACH",
        K::NetworkUnreachable => "ENETUNREACH",
        K::NetworkDown => "ENETDOWN",
        K::NotConnected => "ENOTCONN",
        K::AddrInUse => "EADDRINUSE",
        K::AddrNotAvailable => "EADDRNOTAVAIL",
        K::BrokenPipe => "EPIPE",
        K::TimedOut => "ETIMEDOUT",
        K::PermissionDenied => "EACCES",
        K::NotFound => "ENOENT",
        K::IsADirectory => "EISDIR",
        K::NotADirectory => "ENOTDIR",
        K::InvalidInput => "EINVAL",
        K::UnexpectedEof => "ECONNRESET",
        _ => return Cow::Owned(format!("E{}", error.raw_os_error().unwrap_or_default())),
    };
    Cow::Borrowed(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_error_reads_as_nodes_does() {
        let missing = io::Error::from_raw_os_error(2);
        assert_eq!(
            Error::file(&missing, "open", "/x").message(),
            "ENOENT: no such file or directory, open '/x'"
        );
        let directory = io::Error::from_raw_os_error(21);
        assert_eq!(
            Error::file(&directory, "read", "/").message(),
            "EISDIR: illegal operation on a directory, read"
        );
    }
}
