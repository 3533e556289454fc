//! The names of the captures by index, for records that say where something was seen.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

/// Names that the reader of the captures and the writer of the records share: a capture that appears while others are
/// followed gets its name before its first packet is looked at.
#[derive(Debug, Clone, Default)]
pub struct Names(Arc<RwLock<Vec<Arc<str>>>>);

impl Names {
    /// Names the capture of this index.
    pub fn set(&self, index: usize, name: &str) {
        let mut names = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if names.len() <= index {
            names.resize(index + 1, "".into());
        }
        names[index] = name.into();
    }

    /// The name of one capture, where there are several.
    pub(super) fn one_of_several(&self, index: u16) -> Option<Arc<str>> {
        let names = self.all();
        names
            .get(usize::from(index))
            .filter(|_| names.len() > 1)
            .cloned()
    }

    /// All of them. Nobody may set one meanwhile, so this is not to be kept.
    pub(super) fn all(&self) -> RwLockReadGuard<'_, Vec<Arc<str>>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl FromIterator<Arc<str>> for Names {
    fn from_iter<I: IntoIterator<Item = Arc<str>>>(names: I) -> Self {
        Self(Arc::new(RwLock::new(names.into_iter().collect())))
    }
}
