//! Objects as files below one directory.

use std::path::Path;
use std::sync::Arc;

use super::{ObjectError, Objects};

/// Opens the store below `directory`, creating it where needed.
///
/// # Errors
/// The directory cannot be made or written to.
pub async fn open(directory: &Path) -> Result<Arc<dyn Objects>, ObjectError> {
    Err(ObjectError::Path {
        path: directory.display().to_string(),
    })
}
