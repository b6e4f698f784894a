//! A folder that is either absent or complete, made once by whichever process comes first.

use crate::Error;
use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
};

/// The folder `parent/name`; `make` fills it if it is not there.
pub fn get_or_make(
    parent: &Path,
    name: &str,
    make: impl FnOnce(&Path) -> Result<(), Error>,
) -> Result<PathBuf, Error> {
    let place = parent.join(name);
    if place.is_dir() {
        return Ok(place);
    }
    fs::create_dir_all(parent).map_err(|e| Error::file("create", parent, e))?;
    let lock = parent.join(format!("{name}.lock"));
    let file = File::create(&lock).map_err(|e| Error::file("create", &lock, e))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            super::progress(&format!("waiting for another process that builds {name} ..."));
            file.lock().map_err(|e| Error::file("lock", &lock, e))?;
        }
        Err(TryLockError::Error(e)) => return Err(Error::file("lock", &lock, e)),
    }
    // Whoever held the lock before may have made it.
    if place.is_dir() {
        return Ok(place);
    }
    let draft = parent.join(format!("{name}.draft"));
    if draft.exists() {
        fs::remove_dir_all(&draft).map_err(|e| Error::file("remove", &draft, e))?;
    }
    fs::create_dir_all(&draft).map_err(|e| Error::file("create", &draft, e))?;
    make(&draft)?;
    fs::rename(&draft, &place).map_err(|e| Error::file("rename", &draft, e))?;
    Ok(place)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[test]
    fn many_askers_make_it_once_and_a_failed_make_leaves_nothing() {
        let parent = std::env::temp_dir().join(format!("terntable-cache-{}", std::process::id()));
        let made = AtomicUsize::new(0);
        let failed = get_or_make(&parent, "thing", |dir| {
            fs::write(dir.join("half"), "").unwrap();
            Err(Error::NothingDue)
        });
        assert!(failed.is_err() && !parent.join("thing").exists());
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let place = get_or_make(&parent, "thing", |dir| {
                        made.fetch_add(1, Ordering::Relaxed);
                        std::thread::sleep(std::time::Duration::from_millis(20));
                        fs::write(dir.join("file"), "whole").unwrap();
                        Ok(())
                    });
                    assert_eq!(fs::read_to_string(place.unwrap().join("file")).unwrap(), "whole");
                });
            }
        });
        assert_eq!(made.load(Ordering::Relaxed), 1);
        assert!(!parent.join("thing/half").exists(), "the failed attempt's file is gone");
        fs::remove_dir_all(&parent).unwrap();
    }
}
