//! The document around the application, and the list of all pages.

use leptos::nonce::use_nonce;
use leptos::prelude::*;
use leptos_meta::{MetaTags, Title, provide_meta_context};
use leptos_router::SsrMode;
use leptos_router::components::{ParentRoute, Route, Router, Routes};
use leptos_router::path;

use crate::context::{SiteUrls, provide_page_context};
use crate::pages::login::LoginPage;
use crate::pages::on_demand::{Judging, OnDemand, OneRun, Report, Settings, Trends};
use crate::pages::projects::{HomePage, NewProjectPage};
use crate::pages::runs::RunsPage;
use crate::pages::setup::SetupPage;
use crate::theme::Theme;
use crate::ui::frame::Frame;
use crate::ui::icon::Sprite;
use crate::ui::not_found::NotFoundPage;
use crate::ui::time::provide_zone;

/// The HTML document. Rendered on the server only; the browser attaches to its body.
///
/// Reads from the context: [`SiteUrls`], [`Theme`], [`crate::Viewer`], [`crate::PageRequest`] and the nonce.
pub fn shell() -> impl IntoView {
    let urls: SiteUrls = use_context().unwrap_or_default();
    let theme: Theme = use_context().unwrap_or_default();
    view! {
        <!DOCTYPE html>
        <html lang="en" data-theme=theme.attribute()>
            <head>
                <meta charset="utf-8"/>
                <meta name="viewport" content="width=device-width, initial-scale=1"/>
                <meta name="color-scheme" content="light dark"/>
                <link rel="icon" href=urls.favicon.clone()/>
                <link rel="stylesheet" href=urls.css.clone()/>
                // Named by the style sheet only, it would come a round trip later.
                <link rel="preload" href=urls.font.clone() r#as="font" r#type="font/woff2" crossorigin="anonymous"/>
                <Hydration urls/>
                <MetaTags/>
            </head>
            <body>
                <App/>
            </body>
        </html>
    }
}

/// Loads the WASM and attaches it. The file names carry hashes, so leptos' own script does not fit.
#[component]
fn Hydration(
    /// Where the files are.
    urls: SiteUrls,
) -> impl IntoView {
    let (Some(js), Some(wasm)) = (urls.js, urls.wasm) else {
        return ().into_any();
    };
    // The server makes these names, so they need no escaping; `{:?}` quotes them all the same.
    let script = format!(
        "import init, {{ hydrate }} from {js:?};\ninit({{ module_or_path: {wasm:?} }}).then(hydrate);"
    );
    view! {
        <link rel="modulepreload" href=js.clone() nonce=use_nonce()/>
        <link rel="preload" href=wasm.clone() r#as="fetch" r#type="application/wasm" crossorigin="anonymous"/>
        <script type="module" nonce=use_nonce() inner_html=script></script>
    }
    .into_any()
}

/// The application: one line per page. Pages wait for their data, so that they work without WASM.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    provide_page_context();
    provide_zone();
    view! {
        <Sprite/>
        <Title formatter=document_title/>
        <Router>
            <Routes fallback=NotFoundPage>
                <Route path=path!("/") view=HomePage ssr=SsrMode::Async/>
                <Route path=path!("/login") view=LoginPage ssr=SsrMode::Async/>
                <Route path=path!("/setup") view=SetupPage ssr=SsrMode::Async/>
                <Route path=path!("/invite") view=OnDemand::Settings(Settings::Invite) ssr=SsrMode::Async/>
                <Route path=path!("/reset") view=OnDemand::Settings(Settings::Reset) ssr=SsrMode::Async/>
                <Route path=path!("/s/:token") view=OnDemand::Run(OneRun::Shared) ssr=SsrMode::Async/>
                <Route path=path!("/account") view=OnDemand::Settings(Settings::Account) ssr=SsrMode::Async/>
                <Route path=path!("/projects/new") view=NewProjectPage ssr=SsrMode::Async/>
                <ParentRoute path=path!("/p/:project") view=Frame ssr=SsrMode::Async>
                    <Route path=path!("") view=OnDemand::Trends(Trends::Overview)/>
                    <Route path=path!("runs") view=RunsPage/>
                    <Route path=path!("runs/:run") view=OnDemand::Run(OneRun::Member)/>
                    <Route path=path!("runs/:run/share") view=OnDemand::Settings(Settings::Share)/>
                    <Route path=path!("compare") view=OnDemand::Run(OneRun::Compare)/>
                    <Route path=path!("connect") view=OnDemand::Settings(Settings::Connect)/>
                    <Route path=path!("anomalies") view=OnDemand::Report(Report::Anomalies)/>
                    <Route path=path!("deploys") view=OnDemand::Trends(Trends::Deploys)/>
                    <Route path=path!("deploys/:deploy") view=OnDemand::Trends(Trends::Deploy)/>
                    <Route path=path!("steps/:name") view=OnDemand::Trends(Trends::Step)/>
                    <Route path=path!("keys/:name") view=OnDemand::Trends(Trends::Key)/>
                    <Route path=path!("models/:name") view=OnDemand::Trends(Trends::Model)/>
                    <Route path=path!("ask") view=OnDemand::Trends(Trends::Ask)/>
                    <Route path=path!("incidents") view=OnDemand::Trends(Trends::Incidents)/>
                    <Route path=path!("incidents/:incident") view=OnDemand::Trends(Trends::Incident)/>
                    <Route path=path!("detectors") view=OnDemand::Report(Report::Detectors)/>
                    <Route path=path!("detectors/:detector") view=OnDemand::Report(Report::Detector)/>
                    <Route path=path!("findings") view=OnDemand::Report(Report::Findings)/>
                    <Route path=path!("findings/:finding") view=OnDemand::Report(Report::Finding)/>
                    <Route path=path!("prompts") view=OnDemand::Report(Report::Prompts)/>
                    <Route path=path!("prompts/:fingerprint") view=OnDemand::Report(Report::Prompt)/>
                    <Route path=path!("sessions") view=OnDemand::Report(Report::Sessions)/>
                    <Route path=path!("sessions/:session") view=OnDemand::Report(Report::Session)/>
                    <Route path=path!("users") view=OnDemand::Report(Report::Users)/>
                    <Route path=path!("users/:user") view=OnDemand::Report(Report::User)/>
                    <Route path=path!("settings") view=OnDemand::Settings(Settings::General)/>
                    <Route path=path!("settings/keys") view=OnDemand::Settings(Settings::Keys)/>
                    <Route path=path!("settings/watcher") view=OnDemand::Settings(Settings::Watcher)/>
                    <Route path=path!("settings/integrations") view=OnDemand::Settings(Settings::Integrations)/>
                    <Route path=path!("settings/alerts") view=OnDemand::Settings(Settings::Alerts)/>
                    <Route path=path!("settings/prices") view=OnDemand::Settings(Settings::Prices)/>
                    <Route path=path!("settings/budgets") view=OnDemand::Settings(Settings::Budgets)/>
                    <Route path=path!("settings/providers") view=OnDemand::Settings(Settings::Providers)/>
                    <Route path=path!("settings/outbound") view=OnDemand::Settings(Settings::Outbound)/>
                    <Route path=path!("settings/redaction") view=OnDemand::Settings(Settings::Redaction)/>
                    <Route path=path!("settings/retention") view=OnDemand::Settings(Settings::Retention)/>
                    <Route path=path!("settings/scoring") view=OnDemand::Judging(Judging::Scoring)/>
                    <Route path=path!("settings/incidents") view=OnDemand::Judging(Judging::Incidents)/>
                    <Route path=path!("settings/members") view=OnDemand::Settings(Settings::Members)/>
                    <Route path=path!("settings/shares") view=OnDemand::Settings(Settings::Shares)/>
                    <Route path=path!("settings/ledger") view=OnDemand::Settings(Settings::Ledger)/>
                    <Route path=path!("settings/audit") view=OnDemand::Settings(Settings::Audit)/>
                </ParentRoute>
            </Routes>
        </Router>
    }
}

/// The text of `<title>`. leptos_meta writes it into the server's HTML as it is, and it may hold a client's run name;
/// in the browser it is set as text.
fn document_title(title: String) -> String {
    let title = if title.is_empty() {
        "Plumbline".to_owned()
    } else {
        format!("{title} · Plumbline")
    };
    if cfg!(feature = "ssr") {
        title.replace('&', "&amp;").replace('<', "&lt;")
    } else {
        title
    }
}
