//! What customers write and what pages say. No sentence asks for anything: "list", "number" or "yes or no" in a page
//! would make every summary of it look wrong.

use super::random::Random;

/// Something the shop sells: its name and its code.
pub(super) type Item = (&'static str, &'static str);

const ITEMS: &[Item] = &[
    ("keyboard", "KB-88"),
    ("mouse", "MS-12"),
    ("headset", "HD-40"),
    ("USB cable", "CB-05"),
    ("laptop stand", "ST-71"),
    ("desk lamp", "LM-33"),
    ("webcam", "WC-19"),
];

/// What is wrong, what the customer wants, and how they say it: `{}` is the item.
const PROBLEMS: &[(&str, &str)] = &[
    (
        "refund",
        "arrived with one {} instead of two. I would like my money back for the missing one.",
    ),
    (
        "refund",
        "came too late for the birthday. I am sending the {} back and want my money.",
    ),
    (
        "refund",
        "is not what the picture shows: the {} is grey. I want to send it back.",
    ),
    (
        "replacement",
        "has a {} that does not switch on. Please send me another.",
    ),
    (
        "replacement",
        "arrived with a broken {}; the box was already torn open.",
    ),
    (
        "delivery",
        "has been at the depot since Monday. When does the {} arrive?",
    ),
    (
        "delivery",
        "went to my old address. Can the {} still be redirected?",
    ),
    (
        "invoice",
        "needs an invoice with our VAT id on it; the {} is for the office.",
    ),
];

const GREETINGS: &[&str] = &["Hi,", "Hello,", "Good morning,", "Hey team,", "Dear support,"];

/// A customer's message, and what it is about.
#[derive(Clone, Debug)]
pub(super) struct Ticket {
    pub(super) intent: &'static str,
    pub(super) order: String,
    pub(super) item: Item,
    pub(super) message: String,
}

pub(super) fn ticket(random: &mut Random) -> Ticket {
    let item = random.pick(ITEMS);
    let (intent, words) = random.pick(PROBLEMS);
    let order = format!("A-{}", 1_000 + random.below(8_999));
    let greeting = random.pick(GREETINGS);
    Ticket {
        intent,
        message: format!("{greeting} order {order} {}", words.replace("{}", item.0)),
        order,
        item,
    }
}

const PAGE: &[&str] = &[
    "Parcels leave the warehouse in Utrecht on every working day before four in the afternoon.",
    "A return is free within thirty days when the article is unused and in its box.",
    "Refunds go to the account the order was paid from and arrive within a week.",
    "Repairs of keyboards are done by the workshop in Ghent, which answers within two days.",
    "Batteries may not be sent by air, so lamps with a battery travel by road.",
    "Orders above fifty euros are sent without a fee to all addresses in the union.",
    "The warranty covers two years and starts on the day the parcel was handed over.",
    "Customers with an account see each parcel on a map from the depot to their door.",
    "A parcel that nobody accepts goes back to the depot and waits there for ten days.",
    "The shop keeps invoices for seven years and sends a copy of any of them on request.",
    "Cables and stands are packed in paper; nothing in the parcel is made of plastic.",
    "Gift cards are valid for three years and can be used in several orders.",
    "When an article is out of stock, the shop says so before the order is paid.",
    "A broken article is replaced first and inspected later, so that nobody has to wait.",
    "The desk answers from eight to eight, on Saturdays until noon.",
    "Firms can order on account after a short check of their VAT id.",
    "Headsets are cleaned and tested before they are sold again as used.",
    "Prices include tax; duties outside of the union are paid by the recipient.",
    "An address can be changed until the parcel has left the warehouse.",
    "Every lamp is shipped with a bulb that lasts about fifteen thousand hours.",
    "The driver rings twice and leaves a card with the place where the parcel waits.",
    "Used packaging can be handed back to the driver, who takes it to be recycled.",
    "Schools and libraries get a tenth off the price of stands and lamps.",
    "Data of customers is deleted two years after their last order.",
];

/// The text of a page: `sentences` of them, in an order of its own.
pub(super) fn page(random: &mut Random, sentences: usize) -> String {
    let mut text = String::new();
    let mut deck: Vec<&str> = Vec::new();
    for place in 0..sentences {
        if deck.is_empty() {
            deck = shuffled(random);
        }
        text.push_str(deck.pop().unwrap_or_default());
        // Paragraphs of five sentences.
        text.push_str(if place % 5 == 4 { "\n\n" } else { " " });
    }
    text.trim_end().to_owned()
}

const FINDINGS: &[&str] = &[
    "Returns are free for thirty days, and the money is back within a week.",
    "Orders above fifty euros travel without a fee, and parcels leave on every working day.",
    "Broken articles are replaced at once; the warranty lasts two years from the day of delivery.",
    "The desk can be reached from eight to eight and until noon on Saturdays.",
    "Firms order on account once their VAT id has been checked.",
    "Addresses can be changed for as long as the parcel is in the warehouse.",
    "Nothing is packed in plastic, and the driver takes old boxes back.",
    "Invoices are kept for seven years and sent again whenever somebody asks.",
    "Lamps with a battery go by road, which adds a day or two.",
    "A parcel nobody accepts waits at the depot for ten days before it goes back.",
];

/// What a summary says: `sentences` of them.
pub(super) fn summary(random: &mut Random, sentences: usize) -> String {
    let mut deck = FINDINGS.to_vec();
    shuffle(random, &mut deck);
    deck.truncate(sentences);
    deck.join(" ")
}

fn shuffled(random: &mut Random) -> Vec<&'static str> {
    let mut deck = PAGE.to_vec();
    shuffle(random, &mut deck);
    deck
}

fn shuffle(random: &mut Random, deck: &mut [&str]) {
    for place in (1..deck.len()).rev() {
        deck.swap(place, random.below(place + 1));
    }
}
