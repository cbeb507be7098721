//! A server's reading of what the client writes, made from the RFCs alone.

// Every target has its own copy and uses a part of it.
#![allow(dead_code)]

/// Line ends as they must arrive: CRLF only, and one at the end.
pub fn normalised(body: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut bytes = body.iter().peekable();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\r' => {
                bytes.next_if(|next| **next == b'\n');
                out.extend_from_slice(b"\r\n");
            }
            b'\n' => out.extend_from_slice(b"\r\n"),
            byte => out.push(*byte),
        }
    }
    if !out.ends_with(b"\r\n") {
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// The body up to the line with the dot, and what follows it (RFC 5321, section 4.5.2). `None` if
/// there is no end. Panics at a bare CR or LF.
pub fn unstuff(stream: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut body = Vec::new();
    let mut rest = stream;
    loop {
        let (line, behind) = line(rest)?;
        if line == b"." {
            return Some((body, behind));
        }
        body.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
        body.extend_from_slice(b"\r\n");
        rest = behind;
    }
}

/// One line without its CRLF, and what follows. Panics at a bare CR or LF.
pub fn line(stream: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = stream.iter().position(|byte| *byte == b'\n')?;
    let line = stream[..end].strip_suffix(b"\r").expect("no bare LF");
    assert!(!line.contains(&b'\r'), "a bare CR");
    Some((line, &stream[end + 1..]))
}

/// What a command or the end of a body was for; each is owed a reply.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    Rset,
    Mail(u64),
    Rcpt(u64),
    Data(u64),
    /// A chunk that is not the last.
    Chunk(u64),
    End(u64),
    /// The dot of a message that has no recipient.
    Nothing,
    Quit,
}

/// A body as it arrived.
#[derive(Debug, Default, Clone)]
pub struct Arrived {
    pub body: Vec<u8>,
    pub ended: bool,
}

/// The whole stream, item by item with the position behind each, and the bodies. `opened` says
/// where in the stream the body behind DATA began.
pub fn parse(stream: &[u8], opened: &[usize]) -> (Vec<(Item, usize)>, Vec<(u64, Arrived)>) {
    let (mut items, mut bodies) = (Vec::new(), Vec::<(u64, Arrived)>::new());
    let mut rest = stream;
    let (mut current, mut behind_data) = (None, false);
    while !rest.is_empty() {
        let at = stream.len() - rest.len();
        if std::mem::take(&mut behind_data) && opened.contains(&at) {
            let id = current.expect("DATA behind MAIL");
            let Some((body, behind)) = unstuff(rest) else {
                bodies.push((id, Arrived::default()));
                break;
            };
            bodies.push((id, Arrived { body, ended: true }));
            rest = behind;
            items.push((Item::End(id), stream.len() - rest.len()));
            continue;
        }
        let Some((text, behind)) = line(rest) else { panic!("half a command: {rest:?}") };
        assert!(!text.contains(&0), "NUL in a command");
        let text = std::str::from_utf8(text).expect("UTF-8");
        rest = behind;
        let position = |rest: &[u8]| stream.len() - rest.len();
        if let Some(from) = text.strip_prefix("MAIL FROM:<m") {
            let number = from.split('@').next().and_then(|number| number.parse().ok());
            current = Some(number.expect("a number"));
        }
        let id = current.unwrap_or(u64::MAX);
        let item = match text {
            "RSET" => Item::Rset,
            "QUIT" => Item::Quit,
            "." => {
                assert!(matches!(items.last(), Some((Item::Data(_), _))), "a dot out of place");
                Item::Nothing
            }
            "DATA" => {
                behind_data = true;
                Item::Data(id)
            }
            _ if text.starts_with("MAIL FROM:<m") => Item::Mail(id),
            _ if text.starts_with("RCPT TO:<") => Item::Rcpt(id),
            _ => {
                let size = text.strip_prefix("BDAT ").unwrap_or_else(|| panic!("what is {text:?}?"));
                let (size, last) = size.strip_suffix(" LAST").map_or((size, false), |size| (size, true));
                let size: usize = size.parse().expect("a size");
                assert!(rest.len() >= size, "a chunk is written as a whole");
                let (chunk, behind) = rest.split_at(size);
                rest = behind;
                match bodies.last_mut().filter(|(of, body)| *of == id && !body.ended) {
                    Some((_, body)) => body.body.extend_from_slice(chunk),
                    None => bodies.push((id, Arrived { body: chunk.to_vec(), ended: false })),
                }
                if let Some((_, body)) = bodies.last_mut() {
                    body.ended = last;
                }
                if last { Item::End(id) } else { Item::Chunk(id) }
            }
        };
        items.push((item, position(rest)));
    }
    (items, bodies)
}
