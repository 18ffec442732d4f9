//! What a page knows before it asks for anything: who is looking, which project, when and where.

use domain::{Project, Role, UserId};
use leptos::prelude::*;
use leptos_router::hooks::use_params_map;
use serde::{Deserialize, Serialize};

pub use crate::request::PageRequest;
pub(crate) use crate::request::use_page_request;
use crate::theme::Theme;

/// Who is looking. Worked out by the server for every request; part of the page, so the browser knows it too.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Viewer {
    /// The signed-in person; `None` on an open loopback server or before login.
    pub user: Option<ViewerUser>,
    /// The projects they may see, with what they may do there.
    pub projects: Vec<(Project, Role)>,
    /// No account exists and the server listens on loopback only: everything is allowed.
    pub open: bool,
    /// How people sign in.
    pub ways_in: WaysIn,
}

/// How people sign in to this server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaysIn {
    /// What people call the provider that signs them in, where there is one.
    pub provider: Option<String>,
    /// Only the provider does: passwords are not taken.
    pub passwords_off: bool,
}

/// The signed-in person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ViewerUser {
    pub id: UserId,
    /// What to call them.
    pub name: String,
    /// What they sign in with.
    pub email: String,
    /// Whether they answer for the server: they see the audit log of all of it.
    pub is_instance_admin: bool,
}

impl Viewer {
    /// What the audit log calls them.
    pub fn name_in_log(&self) -> String {
        let user = self.user.as_ref();
        user.map_or_else(|| "local".to_owned(), |user| user.email.clone())
    }

    /// The project with this slug and the viewer's role in it, if they may see it.
    pub fn project(&self, slug: &str) -> Option<&(Project, Role)> {
        self.projects.iter().find(|(project, _)| project.slug == slug)
    }
}

/// Where the browser finds the page's own files. Names carry a hash of the content.
#[derive(Clone, Debug, Default)]
pub struct SiteUrls {
    /// The style sheet.
    pub css: String,
    /// The module that loads the WASM; `None` renders pages that work without it.
    pub js: Option<String>,
    pub wasm: Option<String>,
    /// The icon of the tab.
    pub favicon: String,
    /// The face of all texts but code.
    pub font: String,
}

/// What the server hands to the browser with every page.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Handed {
    viewer: Viewer,
    theme: Theme,
    request: PageRequest,
}

/// Makes viewer, theme and request known to everything below: on the server from the request, in the browser from
/// what the server wrote into the page.
pub(crate) fn provide_page_context() {
    let handed = SharedValue::new(|| Handed {
        viewer: use_context().unwrap_or_default(),
        theme: use_context().unwrap_or_default(),
        request: use_context().unwrap_or_default(),
    })
    .into_inner();
    provide_context(handed.viewer);
    provide_context(handed.request);
    provide_context(RwSignal::new(handed.theme));
}

/// Who is looking.
pub(crate) fn use_viewer() -> Viewer {
    use_context().unwrap_or_default()
}

/// The project's word in the URL (`/p/{project}/…`); empty on pages outside any project.
pub(crate) fn use_slug() -> Memo<String> {
    let params = use_params_map();
    Memo::new(move |_| params.read().get("project").unwrap_or_default())
}

/// The project of the page and the viewer's role in it.
pub(crate) fn use_project() -> Memo<Option<(Project, Role)>> {
    let viewer = use_viewer();
    let slug = use_slug();
    Memo::new(move |_| viewer.project(&slug.read()).cloned())
}

/// Whether the viewer has at least `role` in the page's project.
pub(crate) fn use_may(role: Role) -> Memo<bool> {
    let project = use_project();
    Memo::new(move |_| project.read().as_ref().is_some_and(|(_, has)| *has >= role))
}

#[cfg(feature = "ssr")]
pub use server::{CurrentSession, LinkHash, OneTimeSecrets};
#[cfg(feature = "ssr")]
pub(crate) use server::{authorise, database, has_role};

#[cfg(feature = "ssr")]
mod server {
    use std::sync::Arc;

    use domain::{Project, ProjectId, Role};
    use leptos::prelude::use_context;

    use super::Viewer;
    use crate::error::ApiError;

    /// The SHA-256 of the token of the session that a page is asked for in.
    #[derive(Clone, Copy)]
    pub struct CurrentSession(pub [u8; 32]);

    /// How the server finds the row of a link by the link's token.
    #[derive(Clone, Copy)]
    pub struct LinkHash(pub fn(&str) -> [u8; 32]);

    impl LinkHash {
        /// What is stored of a token; `None` where there is none.
        pub(crate) fn of(token: &str) -> Option<[u8; 32]> {
            let hash = use_context::<Self>().filter(|_| !token.is_empty())?;
            Some((hash.0)(token))
        }
    }

    /// Secrets of keys and links made a moment ago. The server keeps each until it was read once.
    #[derive(Clone)]
    pub struct OneTimeSecrets {
        take: Arc<TakeSecret>,
        has_first: Arc<HasFirst>,
    }

    type TakeSecret = dyn Fn(ProjectId, &str) -> Option<String> + Send + Sync;
    type HasFirst = dyn Fn(ProjectId) -> bool + Send + Sync;

    impl OneTimeSecrets {
        /// `take` returns the secret of a project's token and forgets it; `has_first` says whether the key that was
        /// made together with a project waits to be shown.
        pub fn new(
            take: impl Fn(ProjectId, &str) -> Option<String> + Send + Sync + 'static,
            has_first: impl Fn(ProjectId) -> bool + Send + Sync + 'static,
        ) -> Self {
            Self {
                take: Arc::new(take),
                has_first: Arc::new(has_first),
            }
        }

        pub(crate) fn take(project: ProjectId, token: &str) -> Option<String> {
            use_context::<Self>().and_then(|secrets| (secrets.take)(project, token))
        }

        pub(crate) fn has_first(project: ProjectId) -> bool {
            use_context::<Self>().is_some_and(|secrets| (secrets.has_first)(project))
        }
    }

    /// The project with this slug, if the viewer has at least `role` in it. Any other project does not exist for them.
    pub(crate) fn authorise(slug: &str, role: Role) -> Result<Project, ApiError> {
        let viewer: Viewer = use_context().unwrap_or_default();
        match viewer.project(slug) {
            Some((project, has)) if *has >= role => Ok(project.clone()),
            Some(_) => Err(ApiError::Forbidden { needs: role }.with_status()),
            None if viewer.user.is_none() && !viewer.open => Err(ApiError::Unauthorized.with_status()),
            None => Err(ApiError::NotFound.with_status()),
        }
    }

    /// Whether the viewer has at least `role`, for answers that leave something out. Unlike [`authorise`] it refuses nothing,
    /// so the answer's status stays as it is.
    pub(crate) fn has_role(slug: &str, role: Role) -> bool {
        let viewer: Viewer = use_context().unwrap_or_default();
        viewer.project(slug).is_some_and(|(_, has)| *has >= role)
    }

    pub(crate) fn database() -> Result<storage::Db, ApiError> {
        use_context().ok_or_else(|| ApiError::Unavailable {
            request_id: super::use_page_request().request_id,
        })
    }
}
