//! Which rooms and crates a source file refers to.

use std::path::Path;

/// Something outside its own module that a file refers to by name.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reference {
    /// `crate::name`, however it was written.
    Crate(String),
    /// `crate::*`
    Glob,
    /// The first name of any other path.
    External(String),
}

/// The modules a file stands for: `pool/mod.rs` is `pool`, `wire/reply.rs` is `wire::reply`.
pub(crate) fn module_path(file: &Path) -> Vec<String> {
    let stem = file.with_extension("");
    let names = stem.iter().map(|name| name.to_string_lossy().into_owned());
    names.filter(|name| name != "mod").collect()
}

/// Every reference of a file whose module path is given.
pub(crate) fn references(text: &str, module: &[String]) -> Vec<Reference> {
    let tokens = without_tests(tokens(text));
    let mut walker = Walker { tokens: &tokens, at: 0, depths: vec![module.len()], found: Vec::new() };
    walker.file();
    walker.found
}

/// Names, and punctuation character by character but for `::`; no comments, no literals.
fn tokens(text: &str) -> Vec<String> {
    let mut rest = text;
    let mut found = Vec::new();
    while let Some(first) = rest.chars().next() {
        let length = skipped(rest).unwrap_or_else(|| {
            let length = match first {
                _ if is_name(first) => rest.find(|c| !is_name(c)).unwrap_or(rest.len()),
                _ if rest.starts_with("::") => 2,
                _ => first.len_utf8(),
            };
            if !first.is_whitespace() {
                found.push(rest[..length].to_owned());
            }
            length
        });
        rest = &rest[length..];
    }
    found
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Length of a comment, a string, a character or a lifetime at the start of `rest`.
fn skipped(rest: &str) -> Option<usize> {
    let bytes = rest.as_bytes();
    match bytes[0] {
        b'/' if bytes.get(1) == Some(&b'/') => Some(rest.find('\n').unwrap_or(rest.len())),
        b'/' if bytes.get(1) == Some(&b'*') => Some(block_comment(rest)),
        b'"' => Some(quoted(rest, '"')),
        b'\'' => Some(quote(rest)),
        b'b' | b'c' if bytes.get(1) == Some(&b'"') => Some(1 + quoted(&rest[1..], '"')),
        b'b' if bytes.get(1) == Some(&b'\'') => Some(1 + quoted(&rest[1..], '\'')),
        b'b' | b'c' if bytes.get(1) == Some(&b'r') => raw_string(&rest[1..]).map(|length| length + 1),
        b'r' => raw_string(rest),
        _ => None,
    }
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while at < rest.len() {
        match rest.as_bytes().get(at..at + 2) {
            Some(b"/*") => (depth, at) = (depth + 1, at + 2),
            Some(b"*/") if depth == 1 => return at + 2,
            Some(b"*/") => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    rest.len()
}

fn quoted(rest: &str, end: char) -> usize {
    let mut escaped = false;
    for (at, c) in rest.char_indices().skip(1) {
        if c == end && !escaped {
            return at + 1;
        }
        escaped = c == '\\' && !escaped;
    }
    rest.len()
}

/// A character literal whole; of a lifetime only the quote, its name is harmless.
fn quote(rest: &str) -> usize {
    let mut following = rest.chars().skip(1);
    match (following.next(), following.next()) {
        (Some('\\'), _) | (_, Some('\'')) => quoted(rest, '\''),
        _ => 1,
    }
}

fn raw_string(rest: &str) -> Option<usize> {
    let hashes = rest[1..].bytes().take_while(|b| *b == b'#').count();
    let body = rest[1 + hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(body.find(&end).map_or(rest.len(), |at| 2 + hashes + at + end.len()))
}

/// Leaves out every item under `#[cfg(test)]` or `#[cfg(all(test, …))]`.
fn without_tests(tokens: Vec<String>) -> Vec<String> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let attribute = attribute_length(&tokens[at..]);
        if attribute > 0 && is_test(&tokens[at..at + attribute]) {
            at += attribute + item_length(&tokens[at + attribute..]);
        } else {
            kept.push(tokens[at].clone());
            at += 1;
        }
    }
    kept
}

fn attribute_length(tokens: &[String]) -> usize {
    match tokens {
        [hash, open, ..] if hash == "#" && open == "[" => 1 + group_length(&tokens[1..]),
        _ => 0,
    }
}

fn is_test(attribute: &[String]) -> bool {
    let starts = |with: &[&str]| attribute.iter().zip(with).filter(|(a, b)| a == b).count() == with.len();
    starts(&["#", "[", "cfg", "(", "test", ")"]) || starts(&["#", "[", "cfg", "(", "all", "(", "test"])
}

/// Tokens from an opening bracket to the closing one.
fn group_length(tokens: &[String]) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate() {
        match token.as_str() {
            "{" | "(" | "[" => depth += 1,
            "}" | ")" | "]" if depth == 1 => return at + 1,
            "}" | ")" | "]" => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    tokens.len()
}

/// Tokens of one item: up to its `;` or to the end of its braces; a `use` has both.
fn item_length(tokens: &[String]) -> usize {
    let mut at = 0;
    let mut is_use = false;
    while at < tokens.len() {
        match tokens[at].as_str() {
            ";" => return at + 1,
            "{" if !is_use => return at + group_length(&tokens[at..]),
            "{" | "(" | "[" => at += group_length(&tokens[at..]),
            word => {
                is_use |= word == "use";
                at += 1;
            }
        }
    }
    at
}

/// Walks over the tokens and knows how many modules deep it is.
struct Walker<'a> {
    tokens: &'a [String],
    at: usize,
    /// Module depth inside each open brace; the first is the file's own.
    depths: Vec<usize>,
    found: Vec<Reference>,
}

impl Walker<'_> {
    fn token(&self, offset: usize) -> &str {
        self.tokens.get(self.at + offset).map_or("", String::as_str)
    }

    fn depth(&self) -> usize {
        self.depths.last().copied().unwrap_or_default()
    }

    fn file(&mut self) {
        while self.at < self.tokens.len() {
            let before = self.at.checked_sub(1).map_or("", |at| &self.tokens[at]);
            let starts_path = !matches!(before, "::" | ".");
            match self.token(0) {
                "mod" if self.token(2) == "{" => {
                    self.depths.push(self.depth() + 1);
                    self.at += 3;
                }
                "{" => {
                    self.depths.push(self.depth());
                    self.at += 1;
                }
                "}" => {
                    self.depths.pop();
                    self.at += 1;
                }
                "use" => {
                    self.at += 1;
                    self.tree();
                }
                "extern" if self.token(1) == "crate" => {
                    self.found.push(Reference::External(self.token(2).to_owned()));
                    self.at += 3;
                }
                name if starts_path && self.token(1) == "::" && name.starts_with(is_name) => self.tree(),
                _ => self.at += 1,
            }
        }
    }

    /// A path or the tree of a `use`, from its first name.
    fn tree(&mut self) {
        if self.token(0) == "::" {
            self.at += 1;
        }
        match self.token(0) {
            "crate" => {
                self.at += 1;
                self.after_root();
            }
            "super" => self.after_super(self.depth()),
            "{" => self.each_of_group(Self::tree),
            name if name.starts_with(is_name) => {
                self.found.push(Reference::External(name.to_owned()));
                self.rest_of_path();
            }
            _ => self.at += 1,
        }
    }

    /// After `super`s: what follows is a room once they reach the root of the crate.
    fn after_super(&mut self, depth: usize) {
        let depth = depth.saturating_sub(1);
        self.at += 1;
        match (self.token(0), self.token(1)) {
            ("::", "super") => {
                self.at += 1;
                self.after_super(depth);
            }
            ("::", _) if depth == 0 => self.after_root(),
            _ => self.rest_of_path(),
        }
    }

    /// After `crate`, or after the `super` that reaches it.
    fn after_root(&mut self) {
        if self.token(0) != "::" {
            return;
        }
        self.at += 1;
        if self.token(0) == "{" {
            self.each_of_group(Self::name_in_root);
        } else {
            self.name_in_root();
        }
    }

    fn name_in_root(&mut self) {
        match self.token(0) {
            "*" => self.found.push(Reference::Glob),
            name => self.found.push(Reference::Crate(name.to_owned())),
        }
        self.rest_of_path();
    }

    fn each_of_group(&mut self, element: fn(&mut Self)) {
        let end = self.at + group_length(&self.tokens[self.at..]);
        self.at += 1;
        while self.at + 1 < end {
            element(self);
            while self.at + 1 < end && self.token(0) != "," {
                self.at += 1;
            }
            self.at += 1;
        }
        self.at = end;
    }

    /// Past the remaining names of a path and the group it may end in.
    fn rest_of_path(&mut self) {
        if self.token(0).starts_with(is_name) || self.token(0) == "*" {
            self.at += 1;
        }
        while self.token(0) == "::" {
            self.at += 1;
            match self.token(0) {
                "{" => self.at += group_length(&self.tokens[self.at..]),
                "<" => return,
                _ => self.at += 1,
            }
        }
    }
}
