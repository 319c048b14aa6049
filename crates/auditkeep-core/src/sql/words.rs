//! Words of a statement, without its comments and literals.

use super::Dialect;

/// A piece of a statement that counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token<'a> {
    /// An unquoted word.
    Word(&'a [u8]),
    /// A string, a quoted name or a number.
    Literal,
    /// Any other byte.
    Other(u8),
}

/// Reads a statement from left to right; ends at the end of the text, or in a comment or literal that does not end.
#[derive(Debug)]
pub(super) struct Words<'a> {
    rest: &'a [u8],
    dialect: Dialect,
}

impl<'a> Words<'a> {
    pub(super) fn new(text: &'a [u8], dialect: Dialect) -> Self {
        Self { rest: text, dialect }
    }

    /// The first word, behind opening parentheses and empty statements.
    pub(super) fn first(&mut self) -> Option<&'a [u8]> {
        loop {
            match self.token()? {
                Token::Word(word) => return Some(word),
                Token::Other(b'(' | b';') => {}
                _ => return None,
            }
        }
    }

    pub(super) fn token(&mut self) -> Option<Token<'a>> {
        self.skip_blanks();
        let byte = *self.rest.first()?;
        match byte {
            b'\'' | b'"' | b'`' => {
                self.skip_quoted(byte);
                Some(Token::Literal)
            }
            b'$' if self.dialect == Dialect::PostgreSql => Some(self.dollar_quoted()),
            b'0'..=b'9' => {
                self.take_word();
                Some(Token::Literal)
            }
            _ if is_word(byte) => Some(Token::Word(self.take_word())),
            _ => {
                self.skip(1);
                Some(Token::Other(byte))
            }
        }
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = self.rest.get(bytes..).unwrap_or_default();
    }

    fn take_word(&mut self) -> &'a [u8] {
        let length =
            self.rest.iter().position(|byte| !is_word(*byte) && *byte != b'$').unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at(length);
        self.rest = rest;
        word
    }

    fn skip_blanks(&mut self) {
        loop {
            match self.rest {
                [byte, ..] if byte.is_ascii_whitespace() || *byte == 0x0b => self.skip(1),
                [b'-', b'-', ..] => self.skip_line(),
                [b'#', ..] if self.dialect == Dialect::MySql => self.skip_line(),
                // What MySQL executes although others take it for a comment.
                [b'/', b'*', b'!', ..] | [b'/', b'*', b'M', b'!', ..] if self.dialect == Dialect::MySql => {
                    self.skip(if self.rest[2] == b'!' { 3 } else { 4 });
                    let digits = self.rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
                    self.skip(digits);
                }
                [b'*', b'/', ..] if self.dialect == Dialect::MySql => self.skip(2),
                [b'/', b'*', ..] => self.skip_comment(),
                _ => return,
            }
        }
    }

    fn skip_line(&mut self) {
        self.skip(memchr::memchr(b'\n', self.rest).map_or(self.rest.len(), |end| end + 1));
    }

    /// PostgreSQL nests comments, MySQL does not.
    fn skip_comment(&mut self) {
        let mut depth = 0_u32;
        loop {
            match self.rest {
                [] => return,
                [b'/', b'*', ..] if depth == 0 || self.dialect == Dialect::PostgreSql => {
                    depth += 1;
                    self.skip(2);
                }
                [b'*', b'/', ..] => {
                    depth -= 1;
                    self.skip(2);
                    if depth == 0 {
                        return;
                    }
                }
                _ => self.skip(1),
            }
        }
    }

    /// A doubled quote is read as two literals, which comes to the same here.
    fn skip_quoted(&mut self, quote: u8) {
        self.skip(1);
        while let Some(&byte) = self.rest.first() {
            let escape = byte == b'\\' && self.dialect == Dialect::MySql && quote != b'`';
            self.skip(if escape { 2 } else { 1 });
            if byte == quote {
                return;
            }
        }
    }

    /// `$tag$ … $tag$`, or a parameter or a lone `$`.
    fn dollar_quoted(&mut self) -> Token<'a> {
        let tag = self.rest[1..].iter().position(|byte| !is_word(*byte)).map(|length| length + 1);
        match tag {
            Some(end) if self.rest.get(end) == Some(&b'$') => {
                let (tag, body) = self.rest.split_at(end + 1);
                let close = memchr::memmem::find(body, tag).map_or(body.len(), |at| at + tag.len());
                self.rest = body.get(close..).unwrap_or_default();
                Token::Literal
            }
            _ => {
                self.skip(1);
                Token::Other(b'$')
            }
        }
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || byte >= 0x80
}
