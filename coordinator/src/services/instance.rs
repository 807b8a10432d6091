//! Who this coordinator is in leases: an id of its own that it keeps over restarts, so that leases
//! from before a crash are its own and it need not wait for their end.

use std::io::{self, Write};
use std::path::Path;

use data_encoding::HEXLOWER;

use super::OpenError;
use super::users::random_bytes;
use crate::stores::Owner;

const FILE: &str = "instance";

pub(super) fn of(directory: &Path) -> Result<Owner, OpenError> {
    let path = directory.join(FILE);
    read_or_make(&path).map_err(|source| OpenError::Instance { path, source })
}

fn read_or_make(path: &Path) -> io::Result<Owner> {
    let owner: Owner = random_bytes();
    let text = HEXLOWER.encode(&owner) + "\n";
    match std::fs::File::create_new(path) {
        Ok(mut file) => {
            file.write_all(text.as_bytes())?;
            file.sync_all()?;
            Ok(owner)
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            let text = std::fs::read_to_string(path)?;
            match read(&text) {
                Some(owner) => Ok(owner),
                // Cut off while it was written. Leases of a former self then expire by themselves.
                None => std::fs::remove_file(path).and_then(|()| read_or_make(path)),
            }
        }
        Err(error) => Err(error),
    }
}

fn read(text: &str) -> Option<Owner> {
    HEXLOWER
        .decode(text.trim().as_bytes())
        .ok()?
        .try_into()
        .ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_identity_is_kept_and_a_torn_file_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let first = of(directory.path()).unwrap();
        assert_eq!(of(directory.path()).unwrap(), first);
        std::fs::write(directory.path().join(FILE), "12ab").unwrap();
        let second = of(directory.path()).unwrap();
        assert_ne!(second, first);
        assert_eq!(of(directory.path()).unwrap(), second);
        let error = of(&directory.path().join("missing")).unwrap_err();
        assert!(error.to_string().contains("identity"), "{error}");
    }
}
