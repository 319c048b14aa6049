//! Parameters of the AWS Query protocol: a form in the body, in the query string, or both.
//!
//! Names are case-sensitive as in AWS. The first value of a repeated name counts.

use crate::emulator::fault::Fault;

/// The API version that the emulator speaks.
pub(crate) const VERSION: &str = "2014-10-31";

/// Decoded parameters in the order they came.
#[derive(Debug, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl Params {
    /// Reads the query string, then the body. Bytes that are not UTF-8 become U+FFFD and match nothing.
    pub(crate) fn read(query: &str, body: &[u8]) -> Self {
        let both = form_urlencoded::parse(query.as_bytes()).chain(form_urlencoded::parse(body));
        Self(both.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// The value, or nothing when it is absent or empty: SDKs send neither, people send both.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
            .filter(|value| !value.is_empty())
    }

    pub(crate) fn required(&self, name: &str) -> Result<&str, Fault> {
        self.text(name).ok_or_else(|| Fault::missing_parameter(name))
    }

    pub(crate) fn number(&self, name: &str) -> Result<Option<i64>, Fault> {
        self.text(name).map(|value| parse_number(name, value)).transpose()
    }

    /// Fails when filters were sent: ignoring them would answer another question than was asked.
    pub(crate) fn refuse_filters(&self) -> Result<(), Fault> {
        if self.0.iter().any(|(name, _)| name.starts_with("Filters.")) {
            return Err(Fault::invalid_value("Filters are not supported by this endpoint"));
        }
        Ok(())
    }
}

fn parse_number(name: &str, value: &str) -> Result<i64, Fault> {
    value
        .parse()
        .map_err(|_| Fault::invalid_value(format!("Invalid value {value} for {name}. Must be an integer.")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn query_and_body_are_read_together() {
        let params = Params::read("Action=A", b"Version=2014-10-31&DBInstanceIdentifier=a%2Fb+c&Marker=");
        assert_eq!(params.text("Action"), Some("A"));
        assert_eq!(params.text("DBInstanceIdentifier"), Some("a/b c"));
        assert_eq!(params.text("Marker"), None);
        assert_eq!(params.required("LogFileName").unwrap_err().code, "MissingParameter");
    }

    #[test]
    fn numbers_must_be_numbers() {
        let params = Params::read("", b"MaxRecords=ten&FileSize=10");
        assert_eq!(params.number("FileSize"), Ok(Some(10)));
        assert_eq!(params.number("FileLastWritten"), Ok(None));
        assert_eq!(params.number("MaxRecords").unwrap_err().code, "InvalidParameterValue");
    }
}
