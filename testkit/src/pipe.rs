//! An in-memory connection whose two ends can be torn down as TCP's can.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};

use crate::transport::Transport;

/// One end of a [`pipe`]. Dropping it closes it; [`Transport::reset`] makes the other end fail
/// with `ConnectionReset`.
#[derive(Debug)]
pub struct Pipe {
    stream: DuplexStream,
    reset: Arc<AtomicBool>,
}

/// Two connected ends, each of which takes `capacity` octets before its writer has to wait.
pub fn pipe(capacity: usize) -> (Pipe, Pipe) {
    let (a, b) = duplex(capacity);
    let reset = Arc::new(AtomicBool::new(false));
    (Pipe { stream: a, reset: Arc::clone(&reset) }, Pipe { stream: b, reset })
}

impl Pipe {
    fn check(&self) -> io::Result<()> {
        if self.reset.load(Ordering::Acquire) { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl Transport for Pipe {
    fn reset(&mut self) {
        self.reset.store(true, Ordering::Release);
    }
}

impl AsyncRead for Pipe {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
        // What was written before the reset can still be read, as with TCP at its kindest.
        if buf.filled().len() == before {
            this.check()?;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.check()?;
        Pin::new(&mut this.stream).poll_write(cx, data).map_err(|error| this.check().err().unwrap_or(error))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_reset_is_seen_behind_what_was_written_before_it() {
        let (mut near, mut far) = pipe(16);
        far.write_all(b"220").await.expect("room");
        far.reset();
        drop(far);
        let mut text = Vec::new();
        let error = near.read_to_end(&mut text).await.expect_err("a reset");
        assert_eq!((text.as_slice(), error.kind()), (&b"220"[..], io::ErrorKind::ConnectionReset));
        let error = near.write_all(b"x").await.expect_err("a reset");
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
    }

    #[tokio::test]
    async fn a_closed_end_is_read_as_the_end() {
        let (mut near, far) = pipe(16);
        drop(far);
        assert_eq!(near.read(&mut [0; 4]).await.expect("the end"), 0);
    }
}
