//! A client that writes octets by hand.

// Every test file has its own copy and uses a part of it.
#![allow(dead_code)]

use postpool_testkit::{Config, Pipe, Sink};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// One in-memory connection to a sink.
pub(crate) struct Client {
    pub(crate) sink: Sink,
    pub(crate) io: Pipe,
}

impl Client {
    /// Connects and reads the greeting.
    pub(crate) async fn greeted(config: Config) -> Self {
        let sink = Sink::new(config).expect("a valid configuration");
        let mut client = Self::on(&sink);
        assert!(client.reply().await.starts_with("220 "));
        client
    }

    pub(crate) async fn ready(config: Config) -> Self {
        let hello = if config.lmtp { "LHLO me.test" } else { "EHLO me.test" };
        let mut client = Self::greeted(config).await;
        client.ask(hello).await;
        client
    }

    /// Connects without reading anything.
    pub(crate) fn on(sink: &Sink) -> Self {
        Self { sink: sink.clone(), io: sink.connect() }
    }

    pub(crate) async fn send(&mut self, text: impl AsRef<[u8]>) {
        self.io.write_all(text.as_ref()).await.expect("an open connection");
    }

    /// One whole reply, its lines joined by `|`.
    pub(crate) async fn reply(&mut self) -> String {
        let mut lines = Vec::new();
        loop {
            let line = self.line().await.expect("a reply");
            let last = line.as_bytes().get(3) != Some(&b'-');
            lines.push(line);
            if last {
                return lines.join("|");
            }
        }
    }

    /// One line without its CRLF; `None` at the end.
    pub(crate) async fn line(&mut self) -> std::io::Result<String> {
        let mut line = Vec::new();
        while !line.ends_with(b"\r\n") {
            line.push(self.io.read_u8().await?);
        }
        line.truncate(line.len() - 2);
        Ok(String::from_utf8_lossy(&line).into_owned())
    }

    pub(crate) async fn ask(&mut self, line: &str) -> String {
        self.send(format!("{line}\r\n")).await;
        self.reply().await
    }

    /// Sends a group and gives the code of each reply.
    pub(crate) async fn codes(&mut self, group: &str, replies: usize) -> Vec<u16> {
        self.send(group).await;
        let mut codes = Vec::new();
        for _ in 0..replies {
            codes.push(self.reply().await[..3].parse().expect("a code"));
        }
        codes
    }

    /// Everything until the end, and how it ended.
    pub(crate) async fn rest(&mut self) -> (String, Option<std::io::ErrorKind>) {
        let mut rest = Vec::new();
        let end = self.io.read_to_end(&mut rest).await.err().map(|error| error.kind());
        (String::from_utf8_lossy(&rest).into_owned(), end)
    }
}

/// MAIL, RCPT and DATA in one group.
pub(crate) const GROUP: &str = "MAIL FROM:<a@x>\r\nRCPT TO:<b@y>\r\nDATA\r\n";
