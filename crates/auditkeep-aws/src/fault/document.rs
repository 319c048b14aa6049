//! Error documents of AWS services, XML and JSON, told from log files.
//!
//! Guarantees: a text is taken for an error document only if it is one as a whole, with an error code in the place where
//! AWS puts it; a log line that merely quotes one is not. Reads no more than [`MAX_DOCUMENT`] bytes.
//! Does not validate documents against a schema.

use quick_xml::Reader;
use quick_xml::escape::resolve_xml_entity;
use quick_xml::events::Event;
use serde_json::Value;

/// In bytes; a signature error, the longest known, quotes the request and stays below 8 KiB.
pub(crate) const MAX_DOCUMENT: usize = 64 * 1024;

/// The texts of an error document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ErrorDocument {
    pub(crate) code: String,
    pub(crate) message: String,
}

/// Whether a body begins as an XML, HTML or JSON document does; enough is 1 byte that is not white space.
pub(crate) fn begins_like_document(body: &[u8]) -> bool {
    matches!(start(body).first(), Some(b'<' | b'{'))
}

/// Whether nothing but white space came so far, so that nothing can be said yet.
pub(crate) fn is_blank(body: &[u8]) -> bool {
    start(body).is_empty()
}

fn start(body: &[u8]) -> &[u8] {
    body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body).trim_ascii_start()
}

/// The error that a whole body describes, or `None` if it is no error document.
pub(crate) fn parse(body: &[u8]) -> Option<ErrorDocument> {
    if body.len() > MAX_DOCUMENT {
        return None;
    }
    let text = std::str::from_utf8(start(body)).ok()?;
    if text.starts_with('{') { parse_json(text) } else { parse_xml(text) }
}

/// `<ErrorResponse><Error><Type/><Code/><Message/></Error></ErrorResponse>`, or `<Error>` alone, as S3 writes it.
fn parse_xml(text: &str) -> Option<ErrorDocument> {
    let mut reader = Reader::from_str(text);
    let mut path: Vec<String> = Vec::new();
    let mut found = ErrorDocument { code: String::new(), message: String::new() };
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => {
                path.push(String::from_utf8_lossy(tag.local_name().as_ref()).into_owned());
                if path
                    .first()
                    .is_none_or(|root| !matches!(root.as_str(), "ErrorResponse" | "Error" | "Response"))
                {
                    return None;
                }
            }
            Event::End(_) => drop(path.pop()),
            Event::Text(part) if path.is_empty() && !part.trim_ascii().is_empty() => return None,
            Event::Text(part) => append(&mut found, &path, &part.decode().ok()?),
            Event::CData(part) => append(&mut found, &path, &part.decode().ok()?),
            Event::GeneralRef(name) => {
                let resolved = match name.resolve_char_ref().ok()? {
                    Some(letter) => letter.to_string(),
                    None => resolve_xml_entity(&name.decode().ok()?)?.to_owned(),
                };
                append(&mut found, &path, &resolved);
            }
            Event::Eof => break,
            _ => {}
        }
    }
    (path.is_empty() && !found.code.is_empty()).then_some(found)
}

fn append(found: &mut ErrorDocument, path: &[String], text: &str) {
    let [.., parent, element] = path else { return };
    match (parent.as_str(), element.as_str()) {
        ("Error", "Code") => found.code.push_str(text.trim()),
        ("Error", "Message") => found.message.push_str(text),
        _ => {}
    }
}

/// `{"__type": …, "message": …}`, or `{"Error": {"Code": …, "Message": …}}`.
fn parse_json(text: &str) -> Option<ErrorDocument> {
    let document: Value = serde_json::from_str(text).ok()?;
    let error = document.get("Error").unwrap_or(&document);
    let field = |names: [&str; 3]| names.into_iter().find_map(|name| error.get(name)?.as_str());
    let code = field(["__type", "Code", "code"])?.to_owned();
    let message = field(["message", "Message", "errorMessage"]).unwrap_or_default().to_owned();
    (!code.is_empty()).then_some(ErrorDocument { code, message })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(code: &str, message: &str) -> ErrorDocument {
        ErrorDocument { code: code.to_owned(), message: message.to_owned() }
    }

    #[test]
    fn the_documents_of_query_rest_and_json_services_are_read() {
        let query = br#"<?xml version="1.0"?>
            <ErrorResponse xmlns="http://rds.amazonaws.com/doc/2014-10-31/">
              <Error><Type>Sender</Type><Code>DBInstanceNotFound</Code>
                <Message>DBInstance &lt;a&gt; &#233; not found.</Message></Error>
              <RequestId>4c2b</RequestId>
            </ErrorResponse>"#;
        assert_eq!(parse(query), Some(document("DBInstanceNotFound", "DBInstance <a> é not found.")));
        let rest = b"\xef\xbb\xbf<Error><Code>SlowDown</Code><Message>Reduce your rate</Message></Error>";
        assert_eq!(parse(rest), Some(document("SlowDown", "Reduce your rate")));
        let json = br#"{"__type":"com.amazon#ExpiredTokenException","message":"expired"}"#;
        assert_eq!(parse(json), Some(document("com.amazon#ExpiredTokenException", "expired")));
        let nested = br#"{"Error":{"Code":"AccessDenied","Message":"no"},"RequestId":"1"}"#;
        assert_eq!(parse(nested), Some(document("AccessDenied", "no")));
    }

    #[test]
    fn what_only_looks_like_one_is_none() {
        for body in [
            &b"20261121 10:00:00,host,eve,10.0.0.1,1,2,QUERY,db,'<Error><Code>X</Code></Error>',0"[..],
            b"<Error><Code>X</Code></Error>\n2026-11-21 10:00:00 UTC::@:[1]:LOG:  <Error>",
            b"<Error><Code>X</Code></Error>\n2026-11-21 10:00:00 UTC::@:[1]:LOG:  started",
            b"<Error><Code>X</Code>",
            b"<html><Error><Code>X</Code></Error></html>",
            b"<Error><Message>no code</Message></Error>",
            br#"{"timestamp":"2026-11-21","message":"a log line"}"#,
            br#"{"__type":"X"} {"more":1}"#,
            b"{\"__type\":\"\xff\"}",
            b"",
        ] {
            assert_eq!(parse(body), None, "{}", String::from_utf8_lossy(body));
        }
    }

    #[test]
    fn a_document_is_bounded() {
        let long = format!("<Error><Code>X</Code><Message>{}</Message></Error>", "a".repeat(MAX_DOCUMENT));
        assert_eq!(parse(long.as_bytes()), None);
    }
}
