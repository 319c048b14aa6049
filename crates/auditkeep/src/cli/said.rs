//! Words that people put on record: who decided something, and why. Empty ones say nothing, and are refused.

/// A text with something in it.
pub fn said(text: &str) -> Result<String, String> {
    if text.trim().is_empty() {
        return Err("it is empty, and goes on record".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn something_is_said() {
        assert_eq!(said(" A. Auditor").unwrap(), " A. Auditor");
        for empty in ["", " ", "\n\t", "\u{a0}"] {
            assert!(said(empty).is_err(), "{empty:?}");
        }
    }
}
