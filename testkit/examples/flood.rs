//! How much a sink takes: a client that does nothing but write groups and count replies.
//!
//! `cargo run --release --example flood -- PORT [connections] [seconds] [body octets] [window]`
//!
//! A window of 0 sends a body and the next envelope in one write and waits for the replies (one
//! round trip a message, by DATA); from 1 on so many transactions of RSET, MAIL, RCPT and BDAT go
//! out in one write.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

const ENVELOPE: &str = "MAIL FROM:<sender@example.com>\r\nRCPT TO:<recipient@example.net>\r\n";

fn main() -> io::Result<()> {
    let mut numbers = std::env::args().skip(1).map(|word| word.parse::<usize>().unwrap_or(0));
    let mut number = |default| numbers.next().unwrap_or(default);
    let (port, connections, seconds) = (number(2525), number(5), number(3));
    let (octets, window) = (number(600), number(0));
    let end = Instant::now() + Duration::from_secs(seconds as u64);
    let clients: Vec<_> =
        (0..connections).map(|_| thread::spawn(move || client(port, octets, window, end))).collect();
    let mut messages = 0;
    for client in clients {
        messages += client.join().map_err(|_| io::ErrorKind::Other)??;
    }
    println!("{messages} messages, {} a second", messages / seconds.max(1));
    Ok(())
}

fn client(port: usize, octets: usize, window: usize, end: Instant) -> io::Result<usize> {
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}"))?;
    stream.set_nodelay(true)?;
    let mut replies = Replies { buffer: vec![0; 64 * 1024] };
    replies.expect(&mut stream, 1)?;
    stream.write_all(b"EHLO flood.test\r\n")?;
    replies.expect(&mut stream, 1)?;
    let body = "0123456789012345678901234567890123456789012345678901234567890123456789\r\n";
    let body = body.repeat(octets.div_ceil(body.len()));
    let mut messages = 0;
    if window == 0 {
        stream.write_all(format!("{ENVELOPE}DATA\r\n").as_bytes())?;
        replies.expect(&mut stream, 3)?;
    }
    while Instant::now() < end {
        if window == 0 {
            stream.write_all(format!("{body}.\r\n{ENVELOPE}DATA\r\n").as_bytes())?;
            replies.expect(&mut stream, 4)?;
            messages += 1;
        } else {
            let message = format!("RSET\r\n{ENVELOPE}BDAT {} LAST\r\n{body}", body.len());
            stream.write_all(message.repeat(window).as_bytes())?;
            replies.expect(&mut stream, 4 * window)?;
            messages += window;
        }
    }
    Ok(messages)
}

struct Replies {
    buffer: Vec<u8>,
}

impl Replies {
    /// Reads so many replies, all of which have to be positive.
    fn expect(&mut self, stream: &mut TcpStream, mut replies: usize) -> io::Result<()> {
        let mut kept = 0;
        while replies > 0 {
            let n = stream.read(&mut self.buffer[kept..])?;
            if n == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let filled = kept + n;
            let mut at = 0;
            while let Some(end) = self.buffer[at..filled].iter().position(|byte| *byte == b'\n') {
                let line = &self.buffer[at..at + end];
                if !matches!(line, [b'2' | b'3', ..]) {
                    return Err(io::Error::other(String::from_utf8_lossy(line)));
                }
                replies -= usize::from(line.get(3) != Some(&b'-')).min(replies);
                at += end + 1;
            }
            self.buffer.copy_within(at..filled, 0);
            kept = filled - at;
        }
        Ok(())
    }
}
