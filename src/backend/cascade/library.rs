//! Engines that are libraries of this machine, loaded at run time.

use libloading::Library;

use crate::backend::BackendError;

/// What an engine comes in, for what is said if it is not there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Package {
    /// What the engine does, such as `speech synthesis`.
    pub(super) name: &'static str,
    /// How it is got.
    pub(super) remedy: &'static str,
}

impl Package {
    /// Loads one of its libraries, which runs that one's initialisers.
    ///
    /// # Safety
    /// They have no effect but to set up the library's own data.
    pub(super) unsafe fn open(self, library: &str) -> Result<Library, BackendError> {
        // SAFETY: as promised by the caller.
        unsafe { Library::new(library) }.map_err(|error| self.missing(library, error.to_string()))
    }

    /// Something that a library holds.
    ///
    /// # Safety
    /// `T` is the symbol's type.
    pub(super) unsafe fn symbol<T: Copy>(
        self,
        library: &Library,
        name: &str,
    ) -> Result<T, BackendError> {
        // SAFETY: as promised by the caller.
        unsafe { library.get::<T>(name) }
            .map(|symbol| *symbol)
            .map_err(|error| self.missing(name, error.to_string()))
    }

    /// A part of it that is not there.
    pub(super) fn missing(self, part: &str, reason: String) -> BackendError {
        let what = format!("{} ({part})", self.name);
        BackendError::Missing { what, reason, remedy: self.remedy }
    }
}
