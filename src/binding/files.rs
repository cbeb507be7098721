//! Attached files, read on tokio's blocking threads a few chunks ahead of the connection.

use std::fs::File;
use std::io::Read;
use std::task::{Context, Poll};

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use crate::error::{Code, Error, Result};
use crate::mail::ChunkSource;
use crate::message::FileOpener;

/// Octets of a chunk; soft line breaks of quoted-printable parts depend on it.
const CHUNK: usize = 64 * 1024;
/// Chunks read ahead.
const AHEAD: usize = 4;

/// Opens files on the runtime it is used on.
#[derive(Clone, Debug)]
pub(super) struct Files;

impl FileOpener for Files {
    fn open(&self, path: &str) -> Box<dyn ChunkSource> {
        let (sender, chunks) = mpsc::channel(AHEAD);
        match Handle::try_current() {
            Ok(runtime) => {
                let reader = FileReader::new(path);
                runtime.spawn_blocking(move || read_ahead(reader, &sender));
            }
            Err(_) => {
                let outside = Error::new(Code::Internal, "files can only be read on the engine's threads");
                // The channel is new: there is room.
                let _ = sender.try_send(Err(outside));
            }
        }
        Box::new(FileChunks { chunks })
    }
}

/// Reads until the end, an error, or nobody waits for more.
fn read_ahead(mut reader: FileReader, sender: &mpsc::Sender<Result<Bytes>>) {
    while let Some(chunk) = reader.next().transpose() {
        let failed = chunk.is_err();
        if sender.blocking_send(chunk).is_err() || failed {
            return;
        }
    }
}

#[derive(Debug)]
struct FileChunks {
    chunks: mpsc::Receiver<Result<Bytes>>,
}

impl ChunkSource for FileChunks {
    fn poll_chunk(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes>>> {
        self.chunks.poll_recv(cx)
    }
}

/// A file by chunks of [`CHUNK`], opened on first use.
#[derive(Debug)]
pub(super) struct FileReader {
    path: String,
    file: Option<File>,
}

impl FileReader {
    pub(super) fn new(path: &str) -> Self {
        Self { path: path.to_owned(), file: None }
    }

    /// The next chunk, `None` at the end.
    pub(super) fn next(&mut self) -> Result<Option<Bytes>> {
        let file = match &mut self.file {
            Some(file) => file,
            None => {
                let file = File::open(&self.path).map_err(|e| Error::file(&e, "open", &self.path))?;
                self.file.insert(file)
            }
        };
        let mut chunk = Vec::with_capacity(CHUNK);
        file.take(CHUNK as u64).read_to_end(&mut chunk).map_err(|e| Error::file(&e, "read", &self.path))?;
        Ok(Some(chunk).filter(|chunk| !chunk.is_empty()).map(Bytes::from))
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    async fn read(path: &str) -> Vec<Result<Bytes>> {
        let mut source = Files.open(path);
        let mut chunks = Vec::new();
        while let Some(chunk) = poll_fn(|cx| source.poll_chunk(cx)).await {
            chunks.push(chunk);
        }
        chunks
    }

    #[tokio::test]
    async fn a_file_comes_in_full_chunks_and_a_rest() {
        let path = std::env::temp_dir().join(format!("postpool-files-{}", std::process::id()));
        std::fs::write(&path, vec![b'x'; CHUNK + 1]).expect("temporary file");
        let sizes: Vec<_> =
            read(&path.to_string_lossy()).await.into_iter().map(|c| c.map(|c| c.len())).collect();
        std::fs::remove_file(&path).expect("temporary file");
        assert!(matches!(sizes[..], [Ok(CHUNK), Ok(1)]), "{sizes:?}");
    }

    #[tokio::test]
    async fn a_missing_file_is_one_error_and_the_end() {
        let chunks = read("/nonexistent/file").await;
        let errors: Vec<_> = chunks.iter().map(|c| c.as_ref().err().map(Error::message)).collect();
        assert_eq!(errors, [Some("ENOENT: no such file or directory, open '/nonexistent/file'")]);
    }
}
