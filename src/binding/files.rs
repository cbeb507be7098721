//! Attachment files, read on threads that may block, a few chunks ahead of the socket.

use std::fs::File;
use std::io::Read as _;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::sync::mpsc;

use crate::error::{Code, Error, Result, SystemError};
use crate::mail::ChunkSource;
use crate::message::FileOpener;

/// Octets read at once; soft line breaks of a quoted-printable part depend on it.
const CHUNK: usize = 64 * 1024;
/// Chunks read ahead.
const AHEAD: usize = 4;

/// Opens files on the runtime's blocking threads.
#[derive(Debug)]
pub(super) struct TokioFiles;

impl FileOpener for TokioFiles {
    fn open(&self, path: &str) -> Box<dyn ChunkSource> {
        Box::new(FileChunks { path: path.to_owned(), chunks: None })
    }
}

/// A file that is read when the first chunk is asked for.
#[derive(Debug)]
struct FileChunks {
    path: String,
    chunks: Option<mpsc::Receiver<Result<Bytes>>>,
}

impl ChunkSource for FileChunks {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        let path = &self.path;
        let chunks = self.chunks.get_or_insert_with(|| {
            let (sender, chunks) = mpsc::channel(AHEAD);
            let path = path.clone();
            tokio::task::spawn_blocking(move || read(&path, &sender));
            chunks
        });
        Poll::Ready(ready!(chunks.poll_recv(cx)))
    }
}

/// Reads until the file ends or nobody listens any more.
fn read(path: &str, to: &mpsc::Sender<Result<Bytes>>) {
    let mut file = match File::open(path) {
        Ok(file) => file,
        Err(error) => return report(to, file_error(&error, "open", path)),
    };
    loop {
        let mut chunk = Vec::with_capacity(CHUNK);
        match file.by_ref().take(CHUNK as u64).read_to_end(&mut chunk) {
            Ok(0) => return,
            Ok(_) if to.blocking_send(Ok(chunk.into())).is_err() => return,
            Ok(_) => {}
            Err(error) => return report(to, file_error(&error, "read", path)),
        }
    }
}

fn report(to: &mpsc::Sender<Result<Bytes>>, error: Error) {
    // A connection that is gone needs no reason.
    let _ = to.blocking_send(Err(error));
}

/// Node's wording: `ENOENT: no such file or directory, open '/x'`.
fn file_error(error: &std::io::Error, syscall: &'static str, path: &str) -> Error {
    let named = Error::socket(error, syscall);
    let code = named.system_error().map(|system| system.code.clone()).unwrap_or_default();
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default().to_lowercase();
    let place = if syscall == "open" { format!(" '{path}'") } else { String::new() };
    Error::new(Code::Stream, format!("{code}: {text}, {syscall}{place}")).command("API").system(SystemError {
        code,
        errno: -error.raw_os_error().unwrap_or_default(),
        syscall,
        path: (syscall == "open").then(|| path.to_owned()),
        ..SystemError::default()
    })
}
