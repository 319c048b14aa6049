//! Walking through the pages of a listing by its markers.
//!
//! Guarantees: ends. A marker that was seen before is an error and not the end of the listing, as it is for the
//! SDK's paginators: a listing that is cut short would look like files that were rotated away.
//! Knows nothing about what is listed.

use std::collections::HashSet;

/// RDS gives up to 1000 log files a page and 100 instances.
const MAX_PAGES: usize = 2000;

#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub(crate) enum PagesError {
    #[error("the listing goes in circles: a page names itself or an earlier one as the next")]
    Repeats,
    #[error("the listing has more than {MAX_PAGES} pages")]
    TooMany,
}

#[derive(Debug, Default)]
pub(crate) struct Pages {
    current: Option<String>,
    seen: HashSet<String>,
}

impl Pages {
    /// The marker to ask the next page with; none for the first one.
    pub(crate) fn marker(&self) -> Option<String> {
        self.current.clone()
    }

    /// Takes the marker that came with a page. False when that page was the last one.
    pub(crate) fn turn(&mut self, next: Option<&str>) -> Result<bool, PagesError> {
        let Some(next) = next.filter(|marker| !marker.is_empty()) else { return Ok(false) };
        if !self.seen.insert(next.to_owned()) {
            return Err(PagesError::Repeats);
        }
        if self.seen.len() >= MAX_PAGES {
            return Err(PagesError::TooMany);
        }
        self.current = Some(next.to_owned());
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_ends_at_a_page_without_a_marker() {
        let mut pages = Pages::default();
        assert_eq!(pages.marker(), None);
        assert_eq!(pages.turn(Some("a")), Ok(true));
        assert_eq!(pages.marker().as_deref(), Some("a"));
        assert_eq!(pages.turn(Some("")), Ok(false));
        assert_eq!(Pages::default().turn(None), Ok(false));
    }

    #[test]
    fn circles_and_endless_listings_are_errors() {
        let mut pages = Pages::default();
        assert_eq!(pages.turn(Some("a")), Ok(true));
        assert_eq!(pages.turn(Some("b")), Ok(true));
        assert_eq!(pages.turn(Some("a")), Err(PagesError::Repeats));
        let mut pages = Pages::default();
        let outcome = (0..=MAX_PAGES).map(|page| pages.turn(Some(&page.to_string()))).find(Result::is_err);
        assert_eq!(outcome, Some(Err(PagesError::TooMany)));
    }
}
