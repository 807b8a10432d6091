//! Keyset pagination: a page is a limit and the key of the last item seen, so that items added or
//! removed meanwhile neither repeat nor hide others.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::error::{Code, Error};

/// How many items a page has when nothing is said.
const DEFAULT_LIMIT: u16 = 200;
/// And at most.
const MAX_LIMIT: u16 = 1000;
/// Longest cursor read; ours are far shorter.
const MAX_CURSOR: usize = 2048;

/// Which page of a list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// `next` of the page before; the first page when left out.
    #[param(max_length = 2048)]
    pub after: Option<String>,
    /// How many items at most; 200 when left out.
    #[param(minimum = 1, maximum = 1000)]
    pub limit: Option<u16>,
}

/// A page of a list.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Give this as `after` for the page that follows; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

impl<T> Page<T> {
    pub fn map<U>(self, into: impl FnMut(T) -> U) -> Page<U> {
        Page {
            items: self.items.into_iter().map(into).collect(),
            next: self.next,
        }
    }
}

/// A key as it stands in `next`.
pub(super) fn cursor(key: &str) -> String {
    BASE64URL_NOPAD.encode(key.as_bytes())
}

/// One key of several parts, the first deciding first. The parts contain no control characters.
pub fn key<const N: usize>(parts: [&str; N]) -> String {
    parts.join("\0")
}

impl PageQuery {
    /// Cuts this page out of `items` in the order of `key`; keys are unique.
    ///
    /// # Errors
    /// The cursor is not one of ours, or the limit is out of range.
    pub fn cut<T>(&self, items: Vec<T>, key: impl Fn(&T) -> String) -> Result<Page<T>, Error> {
        let limit = usize::from(self.limit()?);
        let after = self.after()?;
        let mut keyed: Vec<(String, T)> =
            items.into_iter().map(|item| (key(&item), item)).collect();
        keyed.retain(|(key, _)| after.as_ref().is_none_or(|after| key > after));
        keyed.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
        let more = keyed.len() > limit;
        keyed.truncate(limit);
        let last = keyed.last().filter(|_| more);
        let next = last.map(|(key, _)| cursor(key));
        let items = keyed.into_iter().map(|(_, item)| item).collect();
        Ok(Page { items, next })
    }

    pub(super) fn limit(&self) -> Result<u16, Error> {
        match self.limit.unwrap_or(DEFAULT_LIMIT) {
            limit @ 1..=MAX_LIMIT => Ok(limit),
            other => Err(Error::new(Code::InvalidValue)
                .with_details(format!("`limit` is {other}; it goes from 1 to {MAX_LIMIT}"))),
        }
    }

    pub(super) fn after(&self) -> Result<Option<String>, Error> {
        let Some(cursor) = &self.after else {
            return Ok(None);
        };
        Some(cursor)
            .filter(|cursor| cursor.len() <= MAX_CURSOR)
            .and_then(|cursor| BASE64URL_NOPAD.decode(cursor.as_bytes()).ok())
            .and_then(|key| String::from_utf8(key).ok())
            .map(Some)
            .ok_or_else(|| {
                Error::new(Code::InvalidValue)
                    .with_details("`after` is not the `next` of an earlier page")
            })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn page(after: Option<String>, limit: u16) -> PageQuery {
        PageQuery {
            after,
            limit: Some(limit),
        }
    }

    #[test]
    fn foreign_cursors_and_limits_out_of_range_are_refused() {
        for query in [
            page(Some("!".into()), 1),
            page(Some("A".repeat(2400)), 1),
            page(None, 0),
            page(None, 1001),
        ] {
            let error = query.cut(vec!["a"], ToString::to_string).unwrap_err();
            assert_eq!(error.code(), Code::InvalidValue);
        }
    }

    proptest! {
        #[test]
        fn pages_in_turn_give_every_item_once(items in proptest::collection::btree_set("[a-z]{1,6}", 0..40), limit in 1_u16..9) {
            let items: Vec<String> = items.into_iter().collect();
            let (mut seen, mut after) = (Vec::new(), None);
            loop {
                let page = page(after, limit).cut(items.clone(), String::clone).unwrap();
                prop_assert!(page.items.len() <= usize::from(limit));
                seen.extend(page.items);
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
            prop_assert_eq!(seen, items);
        }
    }
}
