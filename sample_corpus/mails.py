
"""The household's mail. Everyone and everything in it is invented; the domains end in .example."""

import datetime as dt

from contracts import ROOF, SOUND_HIRE
from letters import PHYSIO, SCHOOL_TRIP
from write_mail import Mail
from write_office import docx
from write_pdf import pdf

MARTA = "Marta Hollis <marta@hollis-verhoeven.example>"
TOM = "Tom Verhoeven <tom@hollis-verhoeven.example>"
ANNA = "Anna Whitcombe <anna@whitcombe-homes.example>"
GWYN = "Gwyn Pritchard <gwyn@pritchardroofing.example>"
INGRID = "Ingrid Verhoeven <ingrid.verhoeven@postbus.example>"
JUNE = "June Hollis <june.hollis@greypost.example>"
PRIYA = "Priya Nair <priya.nair@fenwick-carto.example>"
ROBERT = "Robert Ashdown <robert.ashdown@fenwick-carto.example>"
SCHOOL = "St Brannock's Primary <office@st-brannocks.example>"
KESTREL = "Kestrel Broadband <billing@kestrelbroadband.example>"
DILYS = "Dilys Morgan <d.morgan@halcyontheatre.example>"

_SIGN = "\n-- \nMarta Hollis\nFlat 2, 14 Tanner's Row, Bristol\n07700 900 316\n"
_HOLIDAY_TABLE = """
<html><head><style>td { padding: 4px }</style></head><body>
<p>Dear Marta Hollis,</p>
<p>thank you for booking with <b>Channel Star Ferries</b>.</p>
<table>
<tr><th>Journey</th><th>Date</th><th>Departs</th><th>Arrives</th></tr>
<tr><td>Harwich &rarr; Hook of Holland</td><td>25 July 2026</td><td>23:00</td><td>08:00</td></tr>
<tr><td>Hook of Holland &rarr; Harwich</td><td>9 August 2026</td><td>14:15</td><td>19:45</td></tr>
</table>
<p>Booking reference: <b>CSF-8KQ2M4</b>. One car up to 5 m, two adults, two children, one cabin with four berths.</p>
<p>Paid: &pound;512.60 by card ending 4471.</p>
<p>Changes are free until 11 July 2026; after that a change costs &pound;30.</p>
<img src="https://tracker.channelstar.example/open.gif?u=88213" width="1" height="1">
<p style="color:#999">You receive this message because you booked with us.</p></body></html>
"""
_RECEIPT = """
<html><body><h1>Your receipt from Corner &amp; Lane Bookshop</h1>
<p>Order 2025-70418, 6 December 2025</p>
<table border="1">
<tr><th>Title</th><th>Price</th></tr>
<tr><td>The Bridges of Europe, an atlas</td><td>&pound;24.99</td></tr>
<tr><td>Knots for young sailors</td><td>&pound;9.50</td></tr>
<tr><td>Postage</td><td>&pound;3.20</td></tr>
<tr><td>Total</td><td>&pound;37.69</td></tr></table>
<p>We expect to deliver on Thursday 11 December 2025.</p></body></html>
"""

_JOB_1 = "20240112.jobs.771@fenwick-carto.example"
_WINDOW_1 = "w1-20250908@hollis-verhoeven.example"
_WINDOW_2 = "w2-20250909@whitcombe-homes.example"
_WINDOW_3 = "w3-20251112@whitcombe-homes.example"
_CAT_1 = "cat-20240304@hollis-verhoeven.example"
_PARTY_1 = "party-20260111@greypost.example"
_PARTY_2 = "party-20260112@hollis-verhoeven.example"
_THEATRE_1 = "ht-20251020-1@halcyontheatre.example"
_THEATRE_2 = "ht-20251021-2@hollis-verhoeven.example"
_SUMMER_1 = "zomer-20260208@postbus.example"
_SUMMER_2 = "zomer-20260210@hollis-verhoeven.example"

MAILS: dict[str, Mail] = {
    "Work/2024-01-12 Offer from Fenwick.eml": Mail(
        _JOB_1, PRIYA, MARTA, "2024-01-12T15:42:10+00:00", "Offer: Senior GIS Analyst",
        """
Dear Marta,

it was a pleasure to meet you on Tuesday. Robert and I would like to offer you the post of Senior GIS Analyst at
Fenwick Cartographic, 30 hours a week, at a gross salary of £38,000 a year.

Could you let us know by 26 January whether you accept? The contract would follow in February.

Kind regards,
Priya Nair
Head of People
""",
    ),
    "Work/2024-01-16 Re Offer from Fenwick.eml": Mail(
        "offer-re-20240116@hollis-verhoeven.example", MARTA, PRIYA, "2024-01-16T20:05:31+00:00",
        "Re: Offer: Senior GIS Analyst",
        """
Dear Priya,

thank you, I should be very glad to come. Two points: could the salary be £38,400, as we said on Tuesday, and could my
day off be Wednesday, because of the children?

Best wishes,
Marta
""" + _SIGN + """
On 12 January 2024 Priya Nair wrote:
> it was a pleasure to meet you on Tuesday. Robert and I would like to offer you the post of Senior GIS Analyst at
> Fenwick Cartographic, 30 hours a week, at a gross salary of £38,000 a year.
""",
        replies_to=(_JOB_1,),
    ),
    "Work/2026-01-27 Salary review.eml": Mail(
        "review-20260127@fenwick-carto.example", PRIYA, MARTA, "2026-01-27T10:00:00+00:00",
        "Your salary review 2026",
        """
Dear Marta,

following the January review your gross salary rises to £40,700 a year from 1 February 2026. Everything else in your
contract of 12 February 2024 stays as it is.

Congratulations, and thank you for the flood map project.

Priya Nair
Head of People, Fenwick Cartographic Ltd
""",
        encoding="quoted-printable",
    ),
    "Work/2025-11-03 Training in Ghent.eml": Mail(
        "ghent-20251103@fenwick-carto.example", ROBERT, MARTA, "2025-11-03T09:12:44+00:00", "LiDAR course in Ghent",
        """
Hi Marta,

your place on the LiDAR course in Ghent is booked: 2 to 4 February 2026. The company pays the course, the Eurostar
and two nights at Hotel Lindenhof. Please keep meals under £45 a day and hand in the receipts by the end of February.

Robert
""",
        cc=PRIYA,
    ),
    "Flat/2024-03-04 May we keep a cat.eml": Mail(
        _CAT_1, MARTA, ANNA, "2024-03-04T19:31:00+00:00", "May we keep a cat?",
        """
Dear Anna,

Ella has been asking for a cat for two years. Would you allow us one? He is four years old, neutered and house-trained,
and comes from the shelter in Knowle. We would of course pay for any scratches.

With best wishes,
Marta
""" + _SIGN,
    ),
    "Flat/2024-03-06 Re May we keep a cat.eml": Mail(
        "cat-20240306@whitcombe-homes.example", ANNA, MARTA, "2024-03-06T08:15:22+00:00", "Re: May we keep a cat?",
        """
Dear Marta,

I grew up with cats, so yes: one cat is fine with me. Please take this as my written consent under clause 4.2. I only ask that
he does not use the stairwell as his own.

Anna Whitcombe

> Ella has been asking for a cat for two years. Would you allow us one? He is four years old, neutered and
> house-trained, and comes from the shelter in Knowle.
""",
        replies_to=(_CAT_1,),
    ),
    "Flat/2025-06-02 New agreement from September.eml": Mail(
        "lease-20250602@whitcombe-homes.example", ANNA, MARTA, "2025-06-02T17:48:09+01:00",
        "New agreement from September",
        """
Dear Marta, dear Tom,

our agreement ends on 31 August. I should be happy if you stayed. I would propose another two years at £1,290 a month, with
two months' notice instead of one. What do you think?

Anna
""",
        cc=TOM,
    ),
    "Flat/2025-06-10 Re New agreement from September.eml": Mail(
        "lease-20250610@whitcombe-homes.example", ANNA, MARTA, "2025-06-10T12:20:51+01:00",
        "Re: New agreement from September",
        """
Dear Marta,

as agreed on the telephone: £1,265 a month, fixed until August 2026, and the cat goes into the agreement. I shall have
the kitchen window replaced this autumn. You will get two copies to sign in July.

Anna

On 8 June 2025 Marta Hollis wrote:
> We would love to stay, but £1,290 is more than we had hoped for. Could we meet at £1,250?
""",
        cc=TOM,
        replies_to=("lease-20250602@whitcombe-homes.example",),
    ),
    "Flat/2025-09-08 Kitchen window.eml": Mail(
        _WINDOW_1, MARTA, ANNA, "2025-09-08T21:10:00+01:00", "Kitchen window",
        """
Dear Anna,

the kitchen window no longer shuts properly and there is water on the sill when it rains. Do you know yet when it will be replaced?

Marta
""" + _SIGN,
    ),
    "Flat/2025-09-09 Re Kitchen window.eml": Mail(
        _WINDOW_2, ANNA, MARTA, "2025-09-09T09:02:17+01:00", "Re: Kitchen window",
        """
Dear Marta,

I have asked Lark & Sons for 14 November. They need about three hours and somebody has to be at home from 8 o'clock.

Anna
""",
        replies_to=(_WINDOW_1,),
    ),
    "Flat/2025-11-12 Re Kitchen window.eml": Mail(
        _WINDOW_3, ANNA, MARTA, "2025-11-12T18:33:40+00:00", "Re: Kitchen window",
        """
Dear Marta,

Lark & Sons have just told me that the glass has come in the wrong size. The new date is 21 November, again from 8 o'clock. I am
sorry for the trouble.

Anna

On 9 September 2025 Anna Whitcombe wrote:
> I have asked Lark & Sons for 14 November. They need about three hours and somebody has to be at home from 8 o'clock.
""",
        replies_to=(_WINDOW_1, _WINDOW_2),
    ),
    "Flat/2026-06-19 Rent from September.eml": Mail(
        "rent-20260619@whitcombe-homes.example", ANNA, MARTA, "2026-06-19T16:05:00+01:00", "Rent from September 2026",
        """
Dear Marta, dear Tom,

as clause 2.2 of our agreement allows, the rent will be £1,295 a month from 1 September 2026. That is 2.4 % more. Please change
your standing order.

Thank you for looking after the flat so well.

Anna Whitcombe
""",
        cc=TOM,
        encoding="quoted-printable",
        charset="windows-1252",
    ),
    "Flat/2026-03-23 Boiler.eml": Mail(
        "boiler-20260323@whitcombe-homes.example", ANNA, TOM, "2026-03-23T13:37:05+00:00", "Boiler: someone comes tomorrow",
        """
Dear Tom,

Dean Tregear of Tregear Heating comes tomorrow between 9 and 11 to look at the boiler. The bill goes to me. Until then please do not
top up the pressure any more.

Anna
""",
    ),
    "Bills/2024-10-28 Welcome to Kestrel.eml": Mail(
        "welcome-558120@kestrelbroadband.example", KESTREL, TOM, "2024-10-28T11:00:00+00:00",
        "Welcome to Kestrel, your order KO-33071",
        """
Hello Tom,

your order KO-33071 for Fibre 500 is confirmed. The engineer comes on Monday 11 November 2024 between 8 and 13 o'clock.
The router arrives by post a few days before.

Your Kestrel team
""",
    ),
    "Bills/2026-02-24 Your price from April.eml": Mail(
        "price-2026-558120@kestrelbroadband.example", KESTREL, TOM, "2026-02-24T06:30:00+00:00",
        "Your price from 1 April 2026",
        """
Hello Tom,

from 1 April 2026 the monthly price of your Fibre 500 (account KB-558120-7) changes from £34.50 to £37.20. You need not
do anything. Your minimum term still ends on 10 November 2026.

Your Kestrel team
""",
        html="""
<html><body><p>Hello Tom,</p><p>from <b>1 April 2026</b> the monthly price of your Fibre 500 (account KB-558120-7) changes from
&pound;34.50 to <b>&pound;37.20</b>. You need not do anything. Your minimum term still ends on 10 November 2026.</p>
<p>Your Kestrel team</p></body></html>
""",
    ),
    "Bills/2025-12-06 Bookshop receipt.eml": Mail(
        "order-202570418@cornerandlane.example", "Corner & Lane Bookshop <orders@cornerandlane.example>", MARTA,
        "2025-12-06T14:22:31+00:00", "Your receipt for order 2025-70418",
        html=_RECEIPT, encoding="quoted-printable",
    ),
    "Bills/2026-01-31 Gym freeze.eml": Mail(
        "freeze-30417@ironbridgefitness.example", "Ironbridge Fitness Club <desk@ironbridgefitness.example>", TOM,
        "2026-01-31T10:15:00+00:00", "Your membership 30417 is frozen",
        """
Dear Tom,

we have frozen your membership from 1 February to 30 April 2026 because of your shoulder. In that time we collect £5 a month.
On 1 May it starts again by itself.

Get well soon!
Ironbridge Fitness Club
""",
    ),
    "Bills/2025-10-30 Bike theft crime reference.eml": Mail(
        "crime-5225@avonpolice.example", "Avon Transport Police <no-reply@avonpolice.example>", MARTA,
        "2025-10-30T20:44:00+00:00", "Your report 5225/118204",
        """
Dear Ms Hollis,

we have recorded the theft of your bicycle (Corvane Tour 7, frame number CV7-220951, dark green) from the railings at
Temple Meads station on 30 October 2025 between 8.20 and 17.40. Your crime reference is 5225/118204.

Please do not reply to this message.
""",
    ),
    "Bills/2025-11-04 New bicycle.eml": Mail(
        "so-6127@twowheelsbristol.example", "Two Wheels Bristol <shop@twowheelsbristol.example>", MARTA,
        "2025-11-04T16:58:12+00:00", "Order 6127 is ready to be collected",
        """
Hello Marta,

the Fennec City 8 in blue, frame number FC8-771305, is ready. Price: £940.00, of which you have paid £100.00. The first service
is free if you come before 4 February 2026.

We are open Tuesday to Saturday, 9 to 18.

Two Wheels Bristol, 33 North Street
""",
    ),
    "School/2025-09-12 Parents evening.eml": Mail(
        "pe-20250912@st-brannocks.example", SCHOOL, MARTA, "2025-09-12T12:00:00+01:00", "Parents' evening and book swap",
        """
Dear parents and carers,

parents' evening is on Wednesday 15 October 2025 from 16.00 to 19.30. Please book a time of ten minutes by 3 October. The book
swap takes place in the hall on the same evening.

From January the school dinner costs £2.85 instead of £2.60 a day.

The school office
""",
    ),
    "School/2026-01-12 Year 6 trip.eml": Mail(
        "trip-20260112@st-brannocks.example", SCHOOL, MARTA, "2026-01-12T15:30:00+00:00", "Year 6 trip to Plas Derwen",
        """
Dear parents and carers of Year 6,

you will find the letter about the residential trip attached. Places are given in the order in which deposits arrive.

The school office
""",
        attachments=(
            ("Plas Derwen letter.pdf", "application/pdf",
             pdf(SCHOOL_TRIP, title="Year 6 residential trip to Plas Derwen", author="St Brannock's Primary School", date="20260112")),
        ),
    ),
    "School/2026-04-20 Swimming lessons.eml": Mail(
        "swim-20260420@st-brannocks.example", SCHOOL, f"{MARTA}, {TOM}", "2026-04-20T11:05:00+01:00",
        "Swimming lessons for Otters",
        """
Dear parents and carers,

from 28 April the Otters swim every Tuesday morning at Dean Lane Baths. The children need a cap, trunks or a
swimsuit, and a towel. Earrings have to be taken out at home. The lessons are free; we ask for £12 towards the bus.

The school office
""",
    ),
    "School/2025-11-21 Jonas hazelnut.eml": Mail(
        "nut-20251121@st-brannocks.example", SCHOOL, f"{MARTA}, {TOM}", "2025-11-21T14:20:00+00:00", "Jonas today",
        """
Dear Ms Hollis, dear Mr Verhoeven,

Jonas ate a biscuit with hazelnut at a birthday today and had red spots around the mouth. We gave him 5 ml of his
syrup at 13.40 and the spots went away within half an hour. We shall ask parents once more to send nothing with nuts.

Ruth Penhaligon
After-school club
""",
    ),
    "Health/2025-09-11 Referral.eml": Mail(
        "ref-20250911@riversidesurgery.example", "Riverside Surgery <post@riversidesurgery.example>", TOM,
        "2025-09-11T17:01:00+01:00", "Your referral letter",
        """
Dear Mr Verhoeven,

the letter that you discussed with Dr Okoye is attached. Please ring Southville Physiotherapy on 01632 960 271 to make your
first appointment.

Reception, Riverside Surgery
""",
        attachments=(
            ("Referral Verhoeven.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
             docx(PHYSIO, title="Referral to physiotherapy", author="Riverside Surgery", date="20250911")),
        ),
    ),
    "Health/2025-09-19 Physio appointments.eml": Mail(
        "physio-20250919@southvillephysio.example", "Jana Novak <jana@southvillephysio.example>", TOM,
        "2025-09-19T08:40:00+01:00", "Your appointments",
        """
Dear Tom,

these are your six appointments, each at 17.15: 25 September, 2 October, 9 October, 23 October, 30 October and 6 November.
Please bring a towel. An appointment that is not cancelled 24 hours before costs £25.

Jana Novak
Southville Physiotherapy, 12 Raleigh Road
""",
    ),
    "Health/2025-11-14 Eye clinic again.eml": Mail(
        "aec-20251114@avonmoutheye.example", "Avonmouth Eye Clinic <appointments@avonmoutheye.example>", MARTA,
        "2025-11-14T12:12:12+00:00", "Ella Hollis, AEC-209914: appointment moved",
        """
Dear Ms Hollis,

Miss Haddad cannot hold the clinic on 20 November. Ella's new appointment is on Tuesday 9 December 2025 at 10.20. Please allow
two hours, because of the drops.

Avonmouth Eye Clinic
""",
    ),
    "Health/2026-02-03 Blood test.eml": Mail(
        "lab-20260203@riversidesurgery.example", "Riverside Surgery <post@riversidesurgery.example>", MARTA,
        "2026-02-03T16:30:00+00:00", "Result of your blood test",
        """
Dear Ms Hollis,

your blood test of 29 January is back. Iron (ferritin 11) and vitamin D (31) are low, everything else is normal.
Dr Okoye recommends ferrous sulphate 200 mg once a day for three months and vitamin D 20 micrograms a day. Please book another test
for the beginning of May.

Riverside Surgery
""",
    ),
    "Theatre/2025-10-20 The Winter Sea.eml": Mail(
        _THEATRE_1, DILYS, TOM, "2025-10-20T10:31:00+01:00", "The Winter Sea, dates",
        """
Dear Tom,

could you do the sound for The Winter Sea? Rehearsals 12 to 16 January 2026, performances 17, 23, 24, 30 and 31 January. The
framework agreement is attached again, because you asked for it.

Dilys
""",
        attachments=(
            ("Framework agreement sound.docx",
             "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
             docx(SOUND_HIRE, title="Framework agreement for sound services", author="Halcyon Theatre Trust", date="20240903")),
        ),
    ),
    "Theatre/2025-10-21 Re The Winter Sea.eml": Mail(
        _THEATRE_2, TOM, DILYS, "2025-10-21T22:14:00+01:00", "Re: The Winter Sea, dates",
        """
Dear Dilys,

yes to all of it except 23 January, when I am in Utrecht. Owen Tate could take that evening; he knows your desk.

Tom

> could you do the sound for The Winter Sea? Rehearsals 12 to 16 January 2026, performances 17, 23, 24, 30 and 31
> January.
""",
        replies_to=(_THEATRE_1,),
    ),
    "Theatre/2026-02-04 Invoice.eml": Mail(
        "vs-inv-2026-004@hollis-verhoeven.example", TOM, DILYS, "2026-02-04T09:09:09+00:00",
        "Invoice VS-2026-004, The Winter Sea",
        """
Dear Dilys,

here is my invoice VS-2026-004:

5 days of rehearsal at £280: £1,400
4 days with a performance at £340: £1,360
5 return tickets Bristol to Cardiff: £92.50
Total: £2,852.50

Please pay to Severn Bank, sort code 20-61-55, account 41287730, by 25 February.

Tom Verhoeven
Verhoeven Sound
""",
    ),
    "Theatre/2026-03-02 Payment reminder.eml": Mail(
        "vs-rem-2026-004@hollis-verhoeven.example", TOM, DILYS, "2026-03-02T19:20:00+00:00",
        "Re: Invoice VS-2026-004, The Winter Sea",
        """
Dear Dilys,

a friendly reminder: VS-2026-004 has not arrived yet. Could you ask your accounts department?

Tom
""",
        replies_to=("vs-inv-2026-004@hollis-verhoeven.example",),
    ),
    "Family/2026-01-11 Mum is 70.eml": Mail(
        _PARTY_1, JUNE, MARTA, "2026-01-11T11:45:00+00:00", "My seventieth",
        """
Dear Marta,

I have thought about it: no big party. Lunch for fourteen at the Old Lock-Keeper in Saltford on Saturday 14 March at one
o'clock. They ask for a deposit of £100, which I have paid. No presents, please, but Jonas may bring a drawing.

Love, Mum
""",
        charset="iso-8859-1",
    ),
    "Family/2026-01-12 Re Mum is 70.eml": Mail(
        _PARTY_2, MARTA, JUNE, "2026-01-12T20:51:00+00:00", "Re: My seventieth",
        """
Dear Mum,

lovely. Tom makes the cake (lemon, no nuts because of Jonas), and Ingrid comes over from Utrecht on the Friday. Does the Old
Lock-Keeper have a ramp for Aunt Doreen's wheelchair?

Marta

> I have thought about it: no big party. Lunch for fourteen at the Old Lock-Keeper in Saltford on Saturday 14 March
> at one o'clock.
""",
        replies_to=(_PARTY_1,),
    ),
    "Family/2026-02-08 Zomer.eml": Mail(
        _SUMMER_1, INGRID, TOM, "2026-02-08T13:05:00+01:00", "Summer / zomer",
        """
Hoi Tom,

the house on Terschelling is ours from 1 to 8 August 2026. The rent is €1,480 for the week, so €740 for each family. Could you
send me your half before the end of March? My account is NL44 RABO 0317 2204 18.

Groetjes, Ingrid
""",
    ),
    "Family/2026-02-10 Re Zomer.eml": Mail(
        _SUMMER_2, TOM, INGRID, "2026-02-10T23:18:00+00:00", "Re: Summer / zomer",
        """
Hoi Ingrid,

transferred today. Marta has booked the ferry, we arrive on 26 July and stay with you in Utrecht until the island. We bring
the two tents in case the Jansens come.

Tom

On 8 February 2026 Ingrid Verhoeven wrote:
> the house on Terschelling is ours from 1 to 8 August 2026. The rent is €1,480 for the week, so €740 for each family.
""",
        replies_to=(_SUMMER_1,),
    ),
    "Family/2026-02-09 Ferry.eml": Mail(
        "csf-8kq2m4@channelstar.example", "Channel Star Ferries <bookings@channelstar.example>", MARTA,
        "2026-02-09T21:40:16+00:00", "Your booking CSF-8KQ2M4",
        html=_HOLIDAY_TABLE,
    ),
    "Family/2026-05-04 Septic tank.eml": Mail(
        "septic-20260504@fennidrains.example", "Fenni Drains <jobs@fennidrains.example>", TOM,
        "2026-05-04T07:50:00+01:00", "Emptying the septic tank at Orchard Cottage",
        """
Dear Mr Verhoeven,

we can empty the tank on Wednesday 12 August 2026 in the morning. The price is £210 plus VAT. The lid has to be free and the
gate unlocked. In 2023 you paid £185 plus VAT.

Fenni Drains
""",
    ),
}

_ROOF_IDS = [
    "roof-1-20250402@hollis-verhoeven.example", "roof-2-20250411@pritchardroofing.example",
    "roof-3-20250414@hollis-verhoeven.example", "roof-4-20250428@pritchardroofing.example",
    "roof-5-20250624@pritchardroofing.example", "roof-6-20250624@hollis-verhoeven.example",
    "roof-7-20250717@pritchardroofing.example", "roof-8-20260119@hollis-verhoeven.example",
    "roof-9-20260121@pritchardroofing.example",
]  # fmt: skip

ROOF_THREAD: list[Mail] = [
    Mail(
        _ROOF_IDS[0], TOM, GWYN, "2025-04-02T20:20:00+01:00", "Roof of Orchard Cottage",
        """
Dear Mr Pritchard,

Mrs Price at number 7 gave me your name. The north slope of our roof at Orchard Cottage in Llanfenni lets water in above the
kitchen. Could you have a look and tell us what a repair would cost? The key is with Mrs Price.

Tom Verhoeven
""",
    ),
    Mail(
        _ROOF_IDS[1], GWYN, TOM, "2025-04-11T07:15:00+01:00", "Re: Roof of Orchard Cottage",
        """
Hello Tom,

I was up there on Tuesday. The valley gutter has gone and about a third of the slates. For the whole north slope with lead and
felt I would want £9,200 including VAT. I could start in the middle of June.

Gwyn

> The north slope of our roof at Orchard Cottage in Llanfenni lets water in above the kitchen.
""",
        replies_to=(_ROOF_IDS[0],),
    ),
    Mail(
        _ROOF_IDS[2], TOM, GWYN, "2025-04-14T21:55:00+01:00", "Re: Roof of Orchard Cottage",
        """
Hello Gwyn,

thank you. That is above what we had put aside. Is there something that can be left out or used again?

Tom
""",
        replies_to=(_ROOF_IDS[0], _ROOF_IDS[1]),
    ),
    Mail(
        _ROOF_IDS[3], GWYN, TOM, "2025-04-28T12:40:00+01:00", "Re: Roof of Orchard Cottage",
        """
Hello Tom,

if we reuse your sound slates and I find the rest reclaimed, I can do it for £8,640. The contract is attached; thirty per cent
with the signature, please.

Gwyn
""",
        replies_to=(_ROOF_IDS[0], _ROOF_IDS[1], _ROOF_IDS[2]),
        attachments=(
            ("Contract PR-2417.docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
             docx(ROOF, title="Contract for roof works PR-2417", author="Gwyn Pritchard", date="20250428")),
        ),
    ),
    Mail(
        _ROOF_IDS[4], GWYN, TOM, "2025-06-24T17:30:00+01:00", "Re: Roof of Orchard Cottage",
        """
Hello Tom,

the slates are off and I have to tell you that eleven metres of rafter are rotten. At £48 a metre that makes £528 more. Please
say yes or no by tomorrow noon, the scaffolding costs me every day.

Gwyn
""",
        replies_to=tuple(_ROOF_IDS[:4]),
    ),
    Mail(
        _ROOF_IDS[5], TOM, GWYN, "2025-06-24T18:02:00+01:00", "Re: Roof of Orchard Cottage",
        """
Hello Gwyn,

yes to the eleven metres for £528. Please take photographs of the old rafters before they go.

Tom
""",
        replies_to=tuple(_ROOF_IDS[:5]),
    ),
    Mail(
        _ROOF_IDS[6], GWYN, TOM, "2025-07-17T16:44:00+01:00", "Re: Roof of Orchard Cottage",
        """
Hello Tom,

the roof was finished today, four working days late because the lead came late from the merchant. That is my fault, so I take off
£240. With the rafters the final bill is £2,880. The guarantee runs until 17 July 2035.

Gwyn
""",
        replies_to=tuple(_ROOF_IDS[:6]),
    ),
    Mail(
        _ROOF_IDS[7], TOM, GWYN, "2026-01-19T09:25:00+00:00", "Re: Roof of Orchard Cottage",
        """
Hello Gwyn,

after the storm of 16 January Mrs Price found two slates in the garden. Is that covered by your guarantee?

Tom
""",
        replies_to=tuple(_ROOF_IDS[:7]),
    ),
    Mail(
        _ROOF_IDS[8], GWYN, TOM, "2026-01-21T19:12:00+00:00", "Re: Roof of Orchard Cottage",
        """
Hello Tom,

the storm had force 9 here, so it counts as my work. I put the two slates back this morning, nothing to pay. The ridge is
sound.

Gwyn

On 19 January 2026 Tom Verhoeven wrote:
> after the storm of 16 January Mrs Price found two slates in the garden. Is that covered by your guarantee?
""",
        replies_to=tuple(_ROOF_IDS[:8]),
    ),
]  # fmt: skip

_TENANTS_LIST = "Tanner's Row neighbours <neighbours@tanners-row.example>"

NEIGHBOURS: list[Mail] = [
    Mail(
        "n1-20250518@tanners-row.example", "Yusuf Demir <yusuf@tanners-row.example>", _TENANTS_LIST,
        "2025-05-18T18:00:00+01:00", "Bicycle cellar: new lock",
        """
Hello all,

the lock of the bicycle cellar will be changed on 26 May. The new code is put through your letter boxes, not sent by mail.
Please take away bicycles that nobody uses any more; what has no label by 30 June goes to the repair workshop.

Yusuf, Flat 5
""",
        headers={"List-Id": "<neighbours.tanners-row.example>"},
    ),
    Mail(
        "n2-20250519@tanners-row.example", "Beatriz Moura <bea@tanners-row.example>", _TENANTS_LIST,
        "2025-05-19T07:42:00+01:00", "Re: Bicycle cellar: new lock",
        """
Thank you, Yusuf. The grey child's bicycle is ours and can be given away. And would anyone water our tomatoes from 4 to 18
August? There is a jar of jam in it.

Bea, Flat 3
""",
        replies_to=("n1-20250518@tanners-row.example",),
        headers={"List-Id": "<neighbours.tanners-row.example>"},
    ),
    Mail(
        "n3-20260607@tanners-row.example", "Yusuf Demir <yusuf@tanners-row.example>", _TENANTS_LIST,
        "2026-06-07T10:10:00+01:00", "Street party on 11 July",
        """
Hello all,

the borough has approved our street party for Saturday 11 July 2026, from 14 to 22 o'clock. Tanner's Row is closed to cars from
12. Flat 1 brings the barbecue, Flat 2 the music (Tom, no more than 75 decibels!), Flat 3 salads, Flat 4 drinks, Flat 5 the tables.

Yusuf
""",
        headers={"List-Id": "<neighbours.tanners-row.example>"},
    ),
]  # fmt: skip


def envelope_date(mail: Mail) -> str:
    """The day and time on an mbox's From line, in UTC as asctime writes it."""
    return dt.datetime.fromisoformat(mail.date).astimezone(dt.UTC).strftime("%a %b %e %H:%M:%S %Y")
