//! The form: which trigger speaks to which channel, and when nobody is to be disturbed.

use domain::alert::{AlertLevel, AlertSettings, Channel, DIGESTS_S, QuietDays, Speaks};
use leptos::prelude::*;

use crate::api::alerts::PastView;
use crate::context::use_slug;
use crate::pages::settings::use_admin_lock;
use crate::ui::form::Submit;
use crate::ui::icon::Icon;
use crate::ui::links::page_href;

/// All settings as one form.
#[component]
pub(super) fn Rules(settings: AlertSettings, connected: Vec<Channel>, past: PastView) -> impl IntoView {
    let slug = use_slug();
    let locked = use_admin_lock();
    let is_draft = past.drafted.is_some();
    let nobody = connected.is_empty().then(|| {
        view! {
            <div class="notice" data-tone="info" role="note">
                <Icon name="info"/>
                <div>
                    "No channel is connected, so nobody is told of anything. "
                    <a class="link" href=move || page_href(&slug.read(), "settings/integrations")>"Connect Slack, Sentry, e-mail or a webhook"</a>
                    "."
                </div>
            </div>
        }
    });
    view! {
        <form class="alert-rules" method="post" action=move || page_href(&slug.read(), "settings/alerts")>
            <section class="cell" aria-labelledby="alerts-rules">
                <div class="head">
                    <h2 id="alerts-rules">"What is told"</h2>
                    <span class="sub">"one message of a step, and what follows while it is quiet is counted in the next"</span>
                </div>
                {nobody}
                <div class="scroll-x" tabindex="0" role="region" aria-label="Rules">
                    <Triggers settings=settings.clone() connected past/>
                </div>
            </section>
            <div class="split">
                <When settings=settings.clone()/>
                <OnlyOf settings/>
            </div>
            <section class="cell">
                <div class="row">
                    <Submit label="Save" variant="primary" locked/>
                    <button class="btn" type="submit" formmethod="get">"Preview"</button>
                    {is_draft.then(|| view! { <p class="dim" role="status">"A preview: nothing of it is saved yet"</p> })}
                </div>
            </section>
        </form>
    }
}

#[component]
fn Triggers(settings: AlertSettings, connected: Vec<Channel>, past: PastView) -> impl IntoView {
    let slug = use_slug();
    let locked = use_admin_lock();
    let is_locked = move || !locked.read().is_empty();
    let levels = [
        (AlertLevel::Critical, "critical"),
        (AlertLevel::Warning, "a warning or critical"),
        (AlertLevel::Off, "off"),
    ];
    let severity = settings.severity;
    let levels = levels
        .into_iter()
        .map(|(level, words)| view! { <option value=level.as_str() selected=severity == level>{words}</option> })
        .collect_view();
    let rate = settings.error_rate;
    let cooldown_min = rate.cooldown_s / 60;
    let drafted = past.drafted;
    let (routes, step_error, rate_on) = (settings.routes, settings.step_error, rate.on);
    let heads = [Channel::Slack, Channel::Email, Channel::Webhook, Channel::Sentry].map(|channel| {
        let is_connected = connected.contains(&channel);
        let title = (!is_connected).then_some("not connected");
        view! { <th scope="col" class="tr-c" title=title class:dim=!is_connected>{channel.label()}</th> }
    });
    view! {
        <table class="table trig">
            <caption class="vh">"Triggers and the channels they speak to"</caption>
            <thead>
                <tr>
                    <th scope="col">"On"</th>
                    <th scope="col">"Send when"</th>
                    <th scope="col">"Quiet afterwards"</th>
                    {heads}
                </tr>
            </thead>
            <tbody>
                <tr>
                    <td><span class="vh">"by its level"</span></td>
                    <td class="wrap">
                        <div class="main">"Step severity"</div>
                        <div class="rule-say">
                            "a step is "
                            <select class="select" name="severity" aria-label="Level" disabled=is_locked>{levels}</select>
                        </div>
                        <Would fired=past.preview.severity.into() drafted=drafted.map(|drafted| drafted.severity.into()) since=past.since.clone()/>
                    </td>
                    <td>
                        <span class="row">
                            <Number name="severity_cooldown_s" label="Seconds of quiet of a step" value=settings.severity_cooldown_s most=86_400/>
                            <span class="dim">"s a step"</span>
                        </span>
                    </td>
                    <Ticks trigger="severity" label="Step severity" speaks=routes.severity/>
                    <td class="tr-c">
                        <a class="link" href=move || page_href(&slug.read(), "settings/integrations")>"its own level"</a>
                    </td>
                </tr>
                <tr>
                    <td><Switch name="step_error" label="Step error" on=step_error/></td>
                    <td class="wrap">
                        <div class="main">"Step error"</div>
                        <div class="rule-say">"a step fails or carries an error text, and its severity is not told"</div>
                        <Would fired=past.preview.step_error.into() drafted=drafted.map(|drafted| drafted.step_error.into()) since=past.since.clone()/>
                    </td>
                    <td><span class="dim">"as for severity"</span></td>
                    <Ticks trigger="step_error" label="Step error" speaks=routes.step_error/>
                    <td></td>
                </tr>
                <tr>
                    <td><Switch name="error_rate.on" label="Error rate" on=rate_on/></td>
                    <td class="wrap">
                        <div class="main">"Error rate"</div>
                        <div class="rule-say">
                            "at least "
                            <Number name="error_rate.percent" label="Percent" value=rate.percent least=1 most=100/>
                            " % of the last "
                            <Number name="error_rate.window" label="Steps looked back on" value=rate.window least=1 most=500/>
                            " steps, from "
                            <Number name="error_rate.min_steps" label="Steps from which on" value=rate.min_steps least=1 most=500/>
                            " steps on"
                        </div>
                        <Would fired=past.preview.error_rate.into() drafted=drafted.map(|drafted| drafted.error_rate.into()) since=past.since.clone()/>
                    </td>
                    <td>
                        <span class="row">
                            <Number name="error_rate.cooldown_min" label="Minutes of quiet" value=cooldown_min most=1_440/>
                            <span class="dim">"min"</span>
                        </span>
                    </td>
                    <Ticks trigger="error_rate" label="Error rate" speaks=routes.error_rate/>
                    <td></td>
                </tr>
                <tr>
                    <td><Switch name="incidents" label="Incidents" on=settings.incidents/></td>
                    <td class="wrap">
                        <div class="main">"Incidents"</div>
                        <div class="rule-say">"one is opened, a deploy is named as its cause, or it is over"</div>
                        <Would fired=past.incidents drafted=None since="in 7 days".to_owned()/>
                    </td>
                    <td><span class="dim">"1 h an incident"</span></td>
                    <Ticks trigger="incidents" label="Incidents" speaks=routes.incidents/>
                    <td class="tr-c dim">"yes"</td>
                </tr>
                <tr>
                    <td><Switch name="findings" label="Detector findings" on=settings.findings/></td>
                    <td class="wrap">
                        <div class="main">"Detector findings"</div>
                        <div class="rule-say">
                            "a "
                            <a class="link" href=move || page_href(&slug.read(), "detectors")>"detector"</a>
                            " finds something in a run"
                        </div>
                    </td>
                    <td><span class="dim">"10 min a detector"</span></td>
                    <Ticks trigger="findings" label="Detector findings" speaks=routes.findings/>
                    <td class="tr-c dim">"yes"</td>
                </tr>
                <tr>
                    <td><Switch name="budgets" label="Budgets" on=settings.budgets/></td>
                    <td class="wrap">
                        <div class="main">"Budgets"</div>
                        <div class="rule-say">
                            "a month’s "
                            <a class="link" href=move || page_href(&slug.read(), "settings/budgets")>"budget"</a>
                            " is used up, or is going to be"
                        </div>
                    </td>
                    <td><span class="dim">"once a month"</span></td>
                    <Ticks trigger="budgets" label="Budgets" speaks=routes.budgets/>
                    <td class="tr-c dim">"yes"</td>
                </tr>
                <tr>
                    <td><Switch name="key_limits" label="Limits of keys" on=settings.key_limits/></td>
                    <td class="wrap">
                        <div class="main">"Limits of keys"</div>
                        <div class="rule-say">
                            "a "
                            <a class="link" href=move || page_href(&slug.read(), "settings/keys")>"key"</a>
                            " has used 80 %, or all, of what it may in a month"
                        </div>
                    </td>
                    <td><span class="dim">"once a month each"</span></td>
                    <Ticks trigger="key_limits" label="Limits of keys" speaks=routes.key_limits/>
                    <td class="tr-c dim">"yes"</td>
                </tr>
                <tr>
                    <td><span class="dim">"always"</span></td>
                    <td class="wrap">
                        <div class="main">"Integration broken"</div>
                        <div class="rule-say">"a channel stops; sent to the others at once"</div>
                    </td>
                    <td><span class="dim">"none"</span></td>
                    <td class="tr-c dim">"yes"</td>
                    <td class="tr-c dim">"yes"</td>
                    <td class="tr-c dim">"yes"</td>
                    <td class="tr-c dim">"yes"</td>
                </tr>
                <tr>
                    <td></td>
                    <td class="wrap">
                        <div class="main">"Whole channel"</div>
                        <div class="rule-say">"switched off here, it keeps its settings and gets nothing new"</div>
                    </td>
                    <td></td>
                    <td class="tr-c"><Tick name="channels.slack" label="Slack as a whole" on=settings.channels.slack/></td>
                    <td class="tr-c"><Tick name="channels.email" label="E-mail as a whole" on=settings.channels.email/></td>
                    <td class="tr-c"><Tick name="channels.webhook" label="Webhook as a whole" on=settings.channels.webhook/></td>
                    <td class="tr-c"><Tick name="channels.sentry" label="Sentry as a whole" on=settings.channels.sentry/></td>
                </tr>
            </tbody>
        </table>
    }
}

/// What a rule would have done, by what came: as it is saved, and as it was typed.
#[component]
fn Would(fired: i64, drafted: Option<i64>, since: String) -> impl IntoView {
    let words = match drafted {
        None => would_have_fired(fired, &since),
        Some(drafted) if drafted == fired => format!("{}, as before", would_have_fired(drafted, &since)),
        Some(drafted) => format!(
            "{}; {} as it is saved",
            would_have_fired(drafted, &since),
            times(fired)
        ),
    };
    view! { <div class="rule-say dim num">{words}</div> }
}

fn would_have_fired(fired: i64, since: &str) -> String {
    match fired {
        0 => format!("would not have fired {since}"),
        fired => format!("would have fired {} {since}", times(fired)),
    }
}

/// `once`, `6 times`.
fn times(count: i64) -> String {
    match count {
        0 => "not at all".to_owned(),
        1 => "once".to_owned(),
        count => format!("{} times", domain::text::grouped(count.unsigned_abs())),
    }
}

/// The channels of a trigger.
#[component]
fn Ticks(trigger: &'static str, label: &'static str, speaks: Speaks) -> impl IntoView {
    view! {
        <td class="tr-c"><Tick name=format!("{trigger}.slack") label=format!("{label} to Slack") on=speaks.slack/></td>
        <td class="tr-c"><Tick name=format!("{trigger}.email") label=format!("{label} by e-mail") on=speaks.email/></td>
        <td class="tr-c"><Tick name=format!("{trigger}.webhook") label=format!("{label} to the webhook") on=speaks.webhook/></td>
    }
}

#[component]
fn Tick(#[prop(into)] name: String, #[prop(into)] label: String, on: bool) -> impl IntoView {
    let locked = use_admin_lock();
    view! {
        <input class="check" type="checkbox" name=name value="on" checked=on aria-label=label disabled=move || !locked.read().is_empty()/>
    }
}

#[component]
fn Switch(name: &'static str, label: &'static str, on: bool) -> impl IntoView {
    let locked = use_admin_lock();
    view! {
        <input class="switch" type="checkbox" role="switch" name=name value="on" checked=on aria-label=label disabled=move || !locked.read().is_empty()/>
    }
}

#[component]
fn Number(
    name: &'static str,
    label: &'static str,
    value: u32,
    #[prop(optional)] least: u32,
    most: u32,
) -> impl IntoView {
    let locked = use_admin_lock();
    view! {
        <input
            class="input num w64"
            type="number"
            name=name
            value=value.to_string()
            min=least.to_string()
            max=most.to_string()
            required=true
            aria-label=label
            disabled=move || !locked.read().is_empty()
        />
    }
}

#[component]
fn When(settings: AlertSettings) -> impl IntoView {
    let locked = use_admin_lock();
    let is_locked = move || !locked.read().is_empty();
    let digests = DIGESTS_S.map(|seconds| {
        let words = match seconds {
            0 => "at once".to_owned(),
            3_600 => "once an hour at most".to_owned(),
            seconds => format!("every {} min at most", seconds / 60),
        };
        view! { <option value=seconds.to_string() selected=settings.digest_s == seconds>{words}</option> }
    });
    let days = QuietDays::ALL
        .iter()
        .map(|days| view! { <option value=days.as_str() selected=settings.quiet.days == *days>{days.label()}</option> })
        .collect_view();
    view! {
        <section class="cell" aria-labelledby="alerts-when">
            <div class="head"><h2 id="alerts-when">"Digest and quiet hours"</h2></div>
            <div class="form">
                <div class="field">
                    <label for="field-digest">"Messages about one thing"</label>
                    <select class="select" id="field-digest" name="digest_s" disabled=is_locked>{digests}</select>
                    <p class="hint">"The first comes at once; what follows is counted in the next"</p>
                </div>
                <fieldset class="field">
                    <legend class="label">"Quiet (UTC)"</legend>
                    <span class="row">
                        <select class="select" name="quiet.days" aria-label="Days" disabled=is_locked>{days}</select>
                        <input class="input num w96" type="time" name="quiet.from" required=true aria-label="From" value=settings.quiet.from.to_string() disabled=is_locked/>
                        <span class="dim">"to"</span>
                        <input class="input num w96" type="time" name="quiet.to" required=true aria-label="To" value=settings.quiet.to.to_string() disabled=is_locked/>
                    </span>
                    <p class="hint">"Messages wait for the end; broken channels and Sentry’s events come through"</p>
                </fieldset>
            </div>
        </section>
    }
}

#[component]
fn OnlyOf(settings: AlertSettings) -> impl IntoView {
    let locked = use_admin_lock();
    let is_locked = move || !locked.read().is_empty();
    view! {
        <section class="cell" aria-labelledby="alerts-only">
            <div class="head"><h2 id="alerts-only">"Only of these"</h2></div>
            <div class="form">
                <div class="field">
                    <label for="field-only-keys">"Keys"</label>
                    <input class="input" id="field-only-keys" name="only_keys" autocomplete="off" value=settings.only_keys.join(", ") placeholder="all of them" disabled=is_locked/>
                    <p class="hint">"Labels with commas between them, such as prod-frontend"</p>
                </div>
                <div class="field">
                    <label for="field-only-environments">"Environments"</label>
                    <input class="input" id="field-only-environments" name="only_environments" autocomplete="off" value=settings.only_environments.join(", ") placeholder="all of them" disabled=is_locked/>
                    <p class="hint">"With commas between them; steps that name none are left out then"</p>
                </div>
            </div>
        </section>
    }
}
