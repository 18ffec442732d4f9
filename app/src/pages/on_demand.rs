//! The pages whose code comes when they are opened. Each of the five groups is a WASM file of its own, which
//! `crates/browser_bindings` cuts out; what several of them use lies in files they share. The list of runs and the
//! pages in front of it are part of the first file. More groups would mean less
//! code that is not needed, and many more files that are shared.

use leptos::prelude::*;
use leptos::wasm_split::{SplitLoaderError, wasm_split};
use leptos_router::ChooseView;

use crate::pages::account::AccountPage;
use crate::pages::anomalies::AnomaliesPage;
use crate::pages::ask::AskPage;
use crate::pages::compare::ComparePage;
use crate::pages::connect::ConnectPage;
use crate::pages::deploy::DeployPage;
use crate::pages::deploys::DeploysPage;
use crate::pages::detector::DetectorPage;
use crate::pages::detectors::DetectorsPage;
use crate::pages::finding::FindingPage;
use crate::pages::findings::FindingsPage;
use crate::pages::incident::IncidentPage;
use crate::pages::incidents::IncidentsPage;
use crate::pages::invite::InvitePage;
use crate::pages::overview::OverviewPage;
use crate::pages::prompt::PromptPage;
use crate::pages::prompts::PromptsPage;
use crate::pages::reset::ResetPage;
use crate::pages::run::{RunPage, SharedRunPage};
use crate::pages::scope::{KeyPage, ModelPage, StepPage};
use crate::pages::session::SessionPage;
use crate::pages::sessions::SessionsPage;
use crate::pages::settings::alerts::AlertsPage;
use crate::pages::settings::audit::AuditPage;
use crate::pages::settings::budgets::BudgetsPage;
use crate::pages::settings::general::GeneralPage;
use crate::pages::settings::incidents::IncidentSettingsPage;
use crate::pages::settings::integrations::IntegrationsPage;
use crate::pages::settings::keys::KeysPage;
use crate::pages::settings::ledger::LedgerPage;
use crate::pages::settings::members::MembersPage;
use crate::pages::settings::outbound::OutboundPage;
use crate::pages::settings::prices::PricesPage;
use crate::pages::settings::providers::ProvidersPage;
use crate::pages::settings::redaction::RedactionPage;
use crate::pages::settings::retention::RetentionPage;
use crate::pages::settings::scoring::ScoringPage;
use crate::pages::settings::shares::SharesPage;
use crate::pages::settings::watcher::WatcherPage;
use crate::pages::shares::SharePage;
use crate::pages::user::UserPage;
use crate::pages::users::UsersPage;
#[cfg(target_arch = "wasm32")]
use crate::ui::load::query_suffix;

/// A page for the router. On the server it is there at once.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OnDemand {
    Run(OneRun),
    /// What calls cost over time, and what shipped.
    Trends(Trends),
    /// What many runs have in common.
    Report(Report),
    /// Settings that bring the engine, to judge history by other settings.
    Judging(Judging),
    /// One of the other settings, how to connect, or the pages of an account.
    Settings(Settings),
}

/// One run, for members or for whoever holds a link to it.
#[derive(Debug, Clone, Copy)]
pub(crate) enum OneRun {
    /// With everything around it.
    Member,
    /// What a link shows of it.
    Shared,
    /// Beside another one.
    Compare,
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
    /// One step over time.
    Step,
    /// One key over time.
    Key,
    /// One model over time.
    Model,
    /// What left its baseline.
    Incidents,
    /// One incident, and what caused it.
    Incident,
    /// Questions that a model answers.
    Ask,
}

/// The pages on many runs at once.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Report {
    /// What keeps going wrong.
    Anomalies,
    Prompts,
    Prompt,
    /// What judges runs.
    Detectors,
    /// One detector, and how often it is right.
    Detector,
    /// What detectors found.
    Findings,
    /// What a detector found in a run.
    Finding,
    /// Runs by session.
    Sessions,
    /// One session as a conversation.
    Session,
    /// Runs by end user.
    Users,
    /// One end user.
    User,
}

/// The settings that history is judged by.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Judging {
    /// How steps are scored.
    Scoring,
    /// From when on a change is an incident.
    Incidents,
}

/// The other settings' pages, each of them small.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Settings {
    Connect,
    /// Facts and the danger zone.
    General,
    Keys,
    /// What the project is connected to.
    Integrations,
    /// Who is told of what.
    Alerts,
    /// What happens to incidents by itself.
    Watcher,
    /// What models cost.
    Prices,
    /// What a month may cost, and how it ends.
    Budgets,
    /// Where the proxy sends calls.
    Providers,
    /// What leaves this machine.
    Outbound,
    /// What is hidden before it is stored.
    Redaction,
    /// How long what is kept.
    Retention,
    /// Who may sign in.
    Members,
    /// Every link to a run.
    Shares,
    /// The links to one run.
    Share,
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
            Self::Run(page) => run(page).await,
            Self::Trends(page) => trends(page).await,
            Self::Report(page) => report(page).await,
            Self::Judging(page) => judging(page).await,
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
            Self::Run(_) => preload_run().await,
            Self::Trends(_) => preload_trends().await,
            Self::Report(_) => preload_report().await,
            Self::Judging(_) => preload_judging().await,
            Self::Settings(_) => preload_settings().await,
        }
    }

    /// The page at this path, as the router in `shell.rs` has it. None for those of the first file.
    #[cfg(any(test, target_arch = "wasm32"))]
    fn at(path: &str) -> Option<Self> {
        let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
        let rest = match segments.as_slice() {
            ["p", _project, rest @ ..] => rest,
            ["s", _token] => return Some(Self::Run(OneRun::Shared)),
            ["account"] => return Some(Self::Settings(Settings::Account)),
            ["invite"] => return Some(Self::Settings(Settings::Invite)),
            ["reset"] => return Some(Self::Settings(Settings::Reset)),
            _ => return None,
        };
        Some(match rest {
            [] => Self::Trends(Trends::Overview),
            ["deploys"] => Self::Trends(Trends::Deploys),
            ["deploys", _deploy] => Self::Trends(Trends::Deploy),
            ["steps", _name] => Self::Trends(Trends::Step),
            ["keys", _name] => Self::Trends(Trends::Key),
            ["models", _name] => Self::Trends(Trends::Model),
            ["incidents"] => Self::Trends(Trends::Incidents),
            ["incidents", _incident] => Self::Trends(Trends::Incident),
            ["ask"] => Self::Trends(Trends::Ask),
            ["runs", _run] => Self::Run(OneRun::Member),
            ["runs", _run, "share"] => Self::Settings(Settings::Share),
            ["compare"] => Self::Run(OneRun::Compare),
            ["anomalies"] => Self::Report(Report::Anomalies),
            ["detectors"] => Self::Report(Report::Detectors),
            ["detectors", _detector] => Self::Report(Report::Detector),
            ["findings"] => Self::Report(Report::Findings),
            ["findings", _finding] => Self::Report(Report::Finding),
            ["prompts"] => Self::Report(Report::Prompts),
            ["prompts", _fingerprint] => Self::Report(Report::Prompt),
            ["sessions"] => Self::Report(Report::Sessions),
            ["sessions", _session] => Self::Report(Report::Session),
            ["users"] => Self::Report(Report::Users),
            ["users", _user] => Self::Report(Report::User),
            ["connect"] => Self::Settings(Settings::Connect),
            ["settings"] => Self::Settings(Settings::General),
            ["settings", "keys"] => Self::Settings(Settings::Keys),
            ["settings", "integrations"] => Self::Settings(Settings::Integrations),
            ["settings", "alerts"] => Self::Settings(Settings::Alerts),
            ["settings", "watcher"] => Self::Settings(Settings::Watcher),
            ["settings", "prices"] => Self::Settings(Settings::Prices),
            ["settings", "budgets"] => Self::Settings(Settings::Budgets),
            ["settings", "providers"] => Self::Settings(Settings::Providers),
            ["settings", "outbound"] => Self::Settings(Settings::Outbound),
            ["settings", "redaction"] => Self::Settings(Settings::Redaction),
            ["settings", "retention"] => Self::Settings(Settings::Retention),
            ["settings", "scoring"] => Self::Judging(Judging::Scoring),
            ["settings", "incidents"] => Self::Judging(Judging::Incidents),
            ["settings", "members"] => Self::Settings(Settings::Members),
            ["settings", "shares"] => Self::Settings(Settings::Shares),
            ["settings", "ledger"] => Self::Settings(Settings::Ledger),
            ["settings", "audit"] => Self::Settings(Settings::Audit),
            _ => return None,
        })
    }
}

#[wasm_split(run, wasm_split_path = ::leptos::wasm_split, preload(preload_run), fallible)]
fn run(page: OneRun) -> Result<AnyView, SplitLoaderError> {
    Ok(match page {
        OneRun::Member => view! { <RunPage/> }.into_any(),
        OneRun::Shared => view! { <SharedRunPage/> }.into_any(),
        OneRun::Compare => view! { <ComparePage/> }.into_any(),
    })
}

#[wasm_split(trends, wasm_split_path = ::leptos::wasm_split, preload(preload_trends), fallible)]
fn trends(page: Trends) -> Result<AnyView, SplitLoaderError> {
    Ok(match page {
        Trends::Overview => view! { <OverviewPage/> }.into_any(),
        Trends::Deploys => view! { <DeploysPage/> }.into_any(),
        Trends::Deploy => view! { <DeployPage/> }.into_any(),
        Trends::Step => view! { <StepPage/> }.into_any(),
        Trends::Key => view! { <KeyPage/> }.into_any(),
        Trends::Model => view! { <ModelPage/> }.into_any(),
        Trends::Incidents => view! { <IncidentsPage/> }.into_any(),
        Trends::Incident => view! { <IncidentPage/> }.into_any(),
        Trends::Ask => view! { <AskPage/> }.into_any(),
    })
}

#[wasm_split(report, wasm_split_path = ::leptos::wasm_split, preload(preload_report), fallible)]
fn report(page: Report) -> Result<AnyView, SplitLoaderError> {
    Ok(match page {
        Report::Anomalies => view! { <AnomaliesPage/> }.into_any(),
        Report::Prompts => view! { <PromptsPage/> }.into_any(),
        Report::Prompt => view! { <PromptPage/> }.into_any(),
        Report::Detectors => view! { <DetectorsPage/> }.into_any(),
        Report::Detector => view! { <DetectorPage/> }.into_any(),
        Report::Findings => view! { <FindingsPage/> }.into_any(),
        Report::Finding => view! { <FindingPage/> }.into_any(),
        Report::Sessions => view! { <SessionsPage/> }.into_any(),
        Report::Session => view! { <SessionPage/> }.into_any(),
        Report::Users => view! { <UsersPage/> }.into_any(),
        Report::User => view! { <UserPage/> }.into_any(),
    })
}

#[wasm_split(judging, wasm_split_path = ::leptos::wasm_split, preload(preload_judging), fallible)]
fn judging(page: Judging) -> Result<AnyView, SplitLoaderError> {
    Ok(match page {
        Judging::Scoring => view! { <ScoringPage/> }.into_any(),
        Judging::Incidents => view! { <IncidentSettingsPage/> }.into_any(),
    })
}

#[wasm_split(settings, wasm_split_path = ::leptos::wasm_split, preload(preload_settings), fallible)]
fn settings(page: Settings) -> Result<AnyView, SplitLoaderError> {
    Ok(match page {
        Settings::Connect => view! { <ConnectPage/> }.into_any(),
        Settings::General => view! { <GeneralPage/> }.into_any(),
        Settings::Keys => view! { <KeysPage/> }.into_any(),
        Settings::Integrations => view! { <IntegrationsPage/> }.into_any(),
        Settings::Alerts => view! { <AlertsPage/> }.into_any(),
        Settings::Watcher => view! { <WatcherPage/> }.into_any(),
        Settings::Prices => view! { <PricesPage/> }.into_any(),
        Settings::Budgets => view! { <BudgetsPage/> }.into_any(),
        Settings::Providers => view! { <ProvidersPage/> }.into_any(),
        Settings::Outbound => view! { <OutboundPage/> }.into_any(),
        Settings::Redaction => view! { <RedactionPage/> }.into_any(),
        Settings::Retention => view! { <RetentionPage/> }.into_any(),
        Settings::Members => view! { <MembersPage/> }.into_any(),
        Settings::Shares => view! { <SharesPage/> }.into_any(),
        Settings::Share => view! { <SharePage/> }.into_any(),
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
        check("/p/default/steps/parse-request", "Some(Trends(Step))");
        check("/p/default/keys/prod", "Some(Trends(Key))");
        check("/p/default/models/openai%2Fgpt-4o", "Some(Trends(Model))");
        check("/p/default/incidents", "Some(Trends(Incidents))");
        check("/p/default/incidents/0193", "Some(Trends(Incident))");
        check("/p/default/ask", "Some(Trends(Ask))");
        check("/p/default/runs", "None");
        check("/p/default/runs/01a1", "Some(Run(Member))");
        check("/p/default/runs/01a1/share", "Some(Settings(Share))");
        check("/p/default/settings/shares", "Some(Settings(Shares))");
        check("/p/default/compare", "Some(Run(Compare))");
        check("/s/9vK2", "Some(Run(Shared))");
        check("/p/default/anomalies", "Some(Report(Anomalies))");
        check("/p/default/prompts", "Some(Report(Prompts))");
        check("/p/default/prompts/0f", "Some(Report(Prompt))");
        check("/p/default/detectors", "Some(Report(Detectors))");
        check("/p/default/detectors/0193", "Some(Report(Detector))");
        check("/p/default/findings", "Some(Report(Findings))");
        check("/p/default/findings/0193", "Some(Report(Finding))");
        check("/p/default/sessions", "Some(Report(Sessions))");
        check("/p/default/sessions/s-4c1f90", "Some(Report(Session))");
        check("/p/default/users/mara%40acme.dev", "Some(Report(User))");
        check("/p/default/connect", "Some(Settings(Connect))");
        check("/p/default/settings", "Some(Settings(General))");
        check("/p/default/settings/", "Some(Settings(General))");
        check("/p/default/settings/integrations", "Some(Settings(Integrations))");
        check("/p/default/settings/alerts", "Some(Settings(Alerts))");
        check("/p/default/settings/watcher", "Some(Settings(Watcher))");
        check("/p/default/settings/ledger", "Some(Settings(Ledger))");
        check("/p/default/settings/audit", "Some(Settings(Audit))");
        check("/account", "Some(Settings(Account))");
        check("/invite", "Some(Settings(Invite))");
        check("/p/default/settings/scoring", "Some(Judging(Scoring))");
        check("/p/default/nonesuch", "None");
    }
}
