//! Identity: people, groups, roles and agencies, and what each may do.

pub mod agencies;
pub mod events;
pub mod groups;
pub mod identities;
pub mod me;
pub mod roles;
pub mod users;

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::domain::text;

/// A name in both languages of the product.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Name {
    #[schema(value_type = String, min_length = 1, max_length = 128, example = "Night shift")]
    pub en: text::Line<128>,
    #[schema(value_type = String, min_length = 1, max_length = 128, example = "وردية الليل")]
    pub ar: text::Line<128>,
}

impl From<Name> for text::Name {
    fn from(name: Name) -> Self {
        Self {
            en: name.en,
            ar: name.ar,
        }
    }
}

impl From<text::Name> for Name {
    fn from(name: text::Name) -> Self {
        Self {
            en: name.en,
            ar: name.ar,
        }
    }
}
