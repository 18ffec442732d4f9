//! The pages whose code comes when they are opened. Each of the five groups is a WASM file of its own, which
//! `crates/browser_bindings` cuts out; what several of them use lies in files they share. The list of runs and the
//! pages in front of it are part of the first file. More groups would mean less
//! code that is not needed, and many more files that are shared.

use leptos::prelude::*;
use leptos::wasm_split::{SplitLoaderError, wasm_split};
use leptos_router::ChooseView;

use crate::pages::account::AccountPage;
use crate::pages::anomalies::AnomaliesPage;
use crate::pages::connect::ConnectPage;
use crate::pages::deploy::DeployPage;
use crate::pages::deploys::DeploysPage;
use crate::pages::invite::InvitePage;
use crate::pages::overview::OverviewPage;
use crate::pages::prompt::PromptPage;
use crate::pages::prompts::PromptsPage;
use crate::pages::reset::ResetPage;
use crate::pages::run::RunPage;
use crate::pages::settings::audit::AuditPage;
use crate::pages::settings::general::GeneralPage;
use crate::pages::settings::keys::KeysPage;
use crate::pages::settings::ledger::LedgerPage;
use crate::pages::settings::members::MembersPage;
use crate::pages::settings::prices::PricesPage;
use crate::pages::settings::providers::ProvidersPage;
use crate::pages::settings::scoring::ScoringPage;
#[cfg(target_arch = "wasm32")]
use crate::ui::load::query_suffix;

/// A page for the router. On the server it is there at once.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OnDemand {
    Run,
    /// What calls cost over time, and what shipped.
    Trends(Trends),
    /// What many runs have in common.
    Report(Report),
    /// Settings → scoring, which brings the engine for its back-test.
    Scoring,
    /// One of the other settings, how to connect, or the pages of an account.
    Settings(Settings),
}

/// The pages on what changes with time.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trends {
    /// The project's home.
    Overview,
    /// What shipped, and what each of it moved.
    Deploys,
    /// One deploy: before and after.
    Deploy,
}

/// The pages on many runs at once.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Report {
    /// What keeps going wrong.
    Anomalies,
    Prompts,
    Prompt,
}

/// The settings' pages but scoring, each of them small.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Settings {
    Connect,
    /// Facts and the danger zone.
    General,
    Keys,
    /// What models cost.
    Prices,
    /// Where the proxy sends calls.
    Providers,
    /// Who may sign in.
    Members,
    /// What became of everything received.
    Ledger,
    /// Who did what.
    Audit,
    /// One's own account, outside of any project.
    Account,
    /// What an invitation's link leads to.
    Invite,
    /// What a link to set a new password leads to.
    Reset,
}

impl ChooseView for OnDemand {
    /// The router calls `preload` first, so nothing is waited for here.
    async fn choose(self) -> AnyView {
        let page = match self {
            Self::Run => run().await,
            Self::Trends(page) => trends(page).await,
            Self::Report(page) => report(page).await,
            Self::Scoring => scoring().await,
            Self::Settings(page) => settings(page).await,
        };
        match page {
            Ok(view) => view,
            Err(_reported_in_the_console) => unavailable().await,
        }
    }

    async fn preload(&self) {
        if self.load().await.is_err() {
            unavailable().await;
        }
    }
}

impl OnDemand {
    async fn load(self) -> Result<(), SplitLoaderError> {
        match self {
            Self::Run => preload_run().await,
            Self::Trends(_) => preload_trends().await,
            Self::Report(_) => preload_report().await,
            Self::Scoring => preload_scoring().await,
            Self::Settings(_) => preload_settings().await,
        }
    }

    /// The page at this path, as the router in `shell.rs` has it. None for those of the first file.
    #[cfg(any(test, target_arch = "wasm32"))]
    fn at(path: &str) -> Option<Self> {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let rest = match segments.as_slice() {
            ["p", _project, rest @ ..] => rest,
            ["account"] => return Some(Self::Settings(Settings::Account)),
            ["invite"] => return Some(Self::Settings(Settings::Invite)),
            ["reset"] => return Some(Self::Settings(Settings::Reset)),
            _ => return None,
        };
        Some(match rest {
            [] => Self::Trends(Trends::Overview),
            ["deploys"] => Self::Trends(Trends::Deploys),
            ["deploys", _deploy] => Self::Trends(Trends::Deploy),
            ["runs", _run] => Self::Run,
            ["anomalies"] => Self::Report(Report::Anomalies),
            ["prompts"] => Self::Report(Report::Prompts),
            ["prompts", _fingerprint] => Self::Report(Report::Prompt),
            ["connect"] => Self::Settings(Settings::Connect),
            ["settings"] => Self::Settings(Settings::General),
            ["settings", "keys"] => Self::Settings(Settings::Keys),
            ["settings", "prices"] => Self::Settings(Settings::Prices),
            ["settings", "providers"] => Self::Settings(Settings::Providers),
            ["settings", "scoring"] => Self::Scoring,
            ["settings", "members"] => Self::Settings(Settings::Members),
            ["settings", "ledger"] => Self::Settings(Settings::Ledger),
            ["settings", "audit"] => Self::Settings(Settings::Audit),
            _ => return None,
        })
    }
}

#[wasm_split(run, wasm_split_path = ::leptos::wasm_split, preload(preload_run), fallible)]
fn run() -> Result<AnyView, SplitLoaderError> {
    Ok(view! { <RunPage/> }.into_any())
}

#[wasm_split(trends, wasm_split_path = ::leptos::wasm_split, preload(preload_trends), fallible)]
fn trends(page: Trends) -> Result<AnyView, SplitLoaderError> {
    Ok(match page {
        Trends::Overview => view! { <OverviewPage/> }.into_any(),
        Trends::Deploys => view! { <DeploysPage/> }.into_any(),
        Trends::Deploy => view! { <DeployPage/> }.into_any(),
    })
}

#[wasm_split(report, wasm_split_path = ::leptos::wasm_split, preload(preload_report), fallible)]
fn report(page: Report) -> Result<AnyView, SplitLoaderError> {
    Ok(match page {
        Report::Anomalies => view! { <AnomaliesPage/> }.into_any(),
        Report::Prompts => view! { <PromptsPage/> }.into_any(),
        Report::Prompt => view! { <PromptPage/> }.into_any(),
    })
}

#[wasm_split(scoring, wasm_split_path = ::leptos::wasm_split, preload(preload_scoring), fallible)]
fn scoring() -> Result<AnyView, SplitLoaderError> {
    Ok(view! { <ScoringPage/> }.into_any())
}

#[wasm_split(settings, wasm_split_path = ::leptos::wasm_split, preload(preload_settings), fallible)]
fn settings(page: Settings) -> Result<AnyView, SplitLoaderError> {
    Ok(match page {
        Settings::Connect => view! { <ConnectPage/> }.into_any(),
        Settings::General => view! { <GeneralPage/> }.into_any(),
        Settings::Keys => view! { <KeysPage/> }.into_any(),
        Settings::Prices => view! { <PricesPage/> }.into_any(),
        Settings::Providers => view! { <ProvidersPage/> }.into_any(),
        Settings::Members => view! { <MembersPage/> }.into_any(),
        Settings::Ledger => view! { <LedgerPage/> }.into_any(),
        Settings::Audit => view! { <AuditPage/> }.into_any(),
        Settings::Account => view! { <AccountPage/> }.into_any(),
        Settings::Invite => view! { <InvitePage/> }.into_any(),
        Settings::Reset => view! { <ResetPage/> }.into_any(),
    })
}

/// A page's file did not come: the network is away, or a newer server no longer has it. What the server sends for the
/// address works without it, so the browser goes there.
async fn unavailable() -> AnyView {
    #[cfg(target_arch = "wasm32")]
    {
        let wanted = leptos_router::hooks::use_url()
            .with_untracked(|url| format!("{}{}", url.path(), query_suffix(url.search())));
        location().set_href(&wanted).unwrap_or_default();
    }
    std::future::pending().await
}

/// Fetches what the page on the screen needs. The browser attaches the application after it, so that until then, and
/// for good when the file does not come, links and forms work as the server rendered them.
#[cfg(target_arch = "wasm32")]
pub async fn code_is_here() -> bool {
    let Ok(path) = location().pathname() else {
        return false;
    };
    match OnDemand::at(&path) {
        Some(page) => page.load().await.is_ok(),
        None => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_page_s_file_is_known_by_its_path() {
        let check = |path: &str, expected: &str| {
            assert_eq!(format!("{:?}", OnDemand::at(path)), expected, "{path}");
        };
        check("/", "None");
        check("/login", "None");
        check("/p/default", "Some(Trends(Overview))");
        check("/p/default/", "Some(Trends(Overview))");
        check("/p/default/deploys", "Some(Trends(Deploys))");
        check("/p/default/deploys/c4e2117%40production", "Some(Trends(Deploy))");
        check("/p/default/runs", "None");
        check("/p/default/runs/01a1", "Some(Run)");
        check("/p/default/anomalies", "Some(Report(Anomalies))");
        check("/p/default/prompts", "Some(Report(Prompts))");
        check("/p/default/prompts/0f", "Some(Report(Prompt))");
        check("/p/default/connect", "Some(Settings(Connect))");
        check("/p/default/settings", "Some(Settings(General))");
        check("/p/default/settings/", "Some(Settings(General))");
        check("/p/default/settings/ledger", "Some(Settings(Ledger))");
        check("/p/default/settings/audit", "Some(Settings(Audit))");
        check("/account", "Some(Settings(Account))");
        check("/invite", "Some(Settings(Invite))");
        check("/p/default/settings/scoring", "Some(Scoring)");
        check("/p/default/nonesuch", "None");
    }
}
