
"""The household's contracts. Everyone and everything in them is invented."""

TENANCY_2023 = """
# Tenancy Agreement
This agreement is made on 14 August 2023 between Anna Whitcombe of 8 Elmhurst Gardens, Bath BA2 9QX (the Landlady) and
Marta Hollis and Tom Verhoeven (the Tenants). It concerns the flat known as Flat 2, 14 Tanner's Row, Bristol BS3 9ZZ
(the Flat).
## 1. Term
The tenancy begins on 1 September 2023 and ends on 31 August 2025, unless it is ended earlier under clause 6.
## 2. Rent
2.1 The rent is £1,150 per calendar month, payable in advance on the first day of each month by standing order.
2.2 The rent does not include council tax, water, gas, electricity or internet access, which the Tenants pay themselves.
## 3. Deposit
3.1 The Tenants pay a deposit of £1,325 before moving in. It is held by the Deposit Safekeeping Scheme under reference
DSS-4471-2023.
3.2 The deposit is returned within ten days of the end of the tenancy, less the agreed cost of damage beyond fair wear.
## 4. Use of the Flat
4.1 The Flat is a private home for the Tenants and their children. No business may be run from it that brings visitors.
4.2 No animals may be kept in the Flat without the Landlady's written consent.
4.3 The Tenants may not sublet the Flat or any part of it.
## 5. Repairs
5.1 The Landlady keeps the structure, the windows, the boiler and the pipes in repair.
5.2 The Tenants report damage without delay and replace light bulbs, fuses and the filters of the cooker hood.
5.3 The Landlady has the boiler serviced once a year, in October.
## 6. Ending the tenancy
6.1 Either side may end the tenancy with one month's written notice after the first six months.
6.2 The Landlady may end it without notice only where the rent is more than two months in arrears.
## 7. Keys
The Tenants receive three keys to the Flat, two to the street door and one to the bicycle cellar.

Signed at Bristol on 14 August 2023
> Anna Whitcombe
> Marta Hollis
> Tom Verhoeven
"""

TENANCY_2025 = """
# Tenancy Agreement (renewal)
This agreement is made on 22 July 2025 between Anna Whitcombe of 8 Elmhurst Gardens, Bath BA2 9QX (the Landlady) and
Marta Hollis and Tom Verhoeven (the Tenants). It replaces the agreement of 14 August 2023 concerning Flat 2,
14 Tanner's Row, Bristol BS3 9ZZ (the Flat).
## 1. Term
The tenancy continues from 1 September 2025 and ends on 31 August 2027, unless it is ended earlier under clause 6.
## 2. Rent
2.1 The rent is £1,265 per calendar month, payable in advance on the first day of each month by standing order.
2.2 The rent may be raised once, with effect from 1 September 2026, by no more than 3 % and on two months' notice.
2.3 The rent does not include council tax, water, gas, electricity or internet access, which the Tenants pay themselves.
## 3. Deposit
The deposit of £1,325 paid in 2023 stays with the Deposit Safekeeping Scheme under reference DSS-4471-2023. No further
deposit is due.
## 4. Use of the Flat
4.1 The Flat is a private home for the Tenants and their children.
4.2 The Tenants may keep one cat. Other animals need the Landlady's written consent.
4.3 The Tenants may not sublet the Flat or any part of it.
## 5. Repairs
5.1 The Landlady keeps the structure, the windows, the boiler and the pipes in repair.
5.2 The Landlady will have the kitchen window replaced before 30 November 2025 at her own cost.
## 6. Ending the tenancy
6.1 Either side may end the tenancy with two months' written notice.
6.2 Notice may be given by e-mail to the addresses that the parties last gave each other.

Signed at Bristol on 22 July 2025
> Anna Whitcombe
> Marta Hollis
> Tom Verhoeven
"""

EMPLOYMENT = """
# Contract of Employment
Between Fenwick Cartographic Ltd, Harbour House, 40 Narrow Quay, Bristol BS1 9AB (the Company) and Marta Hollis
(the Employee). Date of this contract: 12 February 2024.
## 1. Position and start
1.1 The Employee is engaged as Senior GIS Analyst and reports to Robert Ashdown, Head of Mapping.
1.2 The employment begins on 4 March 2024. The first six months are a probationary period.
## 2. Place and hours of work
2.1 The usual place of work is Harbour House. The Employee may work from home on up to three days a week.
2.2 Normal working time is 30 hours a week, spread over four days. Wednesday is the usual day off.
## 3. Pay
3.1 The gross salary is £38,400 a year, paid in twelve equal instalments on the 25th of each month.
3.2 The salary is reviewed every January. A review does not promise an increase.
3.3 The Company contributes 6 % of the gross salary to the Northgate Pension Plan; the Employee contributes 5 %.
## 4. Holidays
The Employee has 27 days of paid holiday a year in addition to public holidays. Up to five unused days may be carried
into the next year and must be taken by 31 March.
## 5. Sickness
The Employee tells the Company before 9.30 on the first day of absence. Full pay continues for eight weeks in any
twelve months. A doctor's note is needed from the eighth day.
## 6. Notice
6.1 During the probationary period either side may end the employment with one week's notice.
6.2 After the probationary period the notice period is eight weeks, for both sides, to the end of a calendar month.
## 7. Confidentiality and inventions
7.1 The Employee keeps the Company's business secrets during the employment and for two years after it.
7.2 Maps, data and software made in the course of the work belong to the Company.
## 8. Other work
Paid work for others needs the Company's written consent, which is not refused without good reason.
> For the Company: Priya Nair, Head of People
> The Employee: Marta Hollis
"""

BROADBAND = """
# Kestrel Broadband – Your contract summary
> Customer: Tom Verhoeven
> Account number: KB-558120-7
> Address: Flat 2, 14 Tanner's Row, Bristol BS3 9ZZ
> Date of contract: 28 October 2024
## What you get
Fibre 500: download up to 500 Mbit/s, upload up to 75 Mbit/s. Guaranteed minimum download speed: 310 Mbit/s. One router
on loan (model KR-6), to be returned within 14 days of the end of the contract.
## What you pay
| Item | Amount |
| Monthly price in the minimum term | £34.50 |
| Monthly price after the minimum term | £41.00 |
| Activation, once | £15.00 |
| Engineer visit, if the fault is yours | £65.00 |
## How long it lasts
The service starts on 11 November 2024. The minimum term is 24 months. After that the contract goes on from month to
month until one side ends it with 30 days' notice.
## If you leave early
If you end the contract in the minimum term you pay an early termination charge of £19.20 for each month that remains.
You may leave without a charge if the speed stays under the guaranteed minimum for more than 30 days after you told us.
## Price changes
The monthly price rises every April by the amount that we tell you at least 30 days before.
## Help
Faults: 01632 960 144, at any hour. Complaints that we do not settle within eight weeks go to the Telecoms Mediator.
"""

GYM = """
# Ironbridge Fitness Club – Membership agreement
> Member: Tom Verhoeven
> Membership number: 30417
> Date: 9 January 2025
## Membership
Off-peak membership: weekdays before 16.00 and all day at weekends, pool and sauna included. Classes with an instructor
are booked through the club's desk and cost £4 each.
## Fees
The fee is £29.90 a month, collected by direct debit on the 9th. A joining fee of £20 is charged once.
## Length and cancelling
The membership runs for twelve months from 9 January 2025 and then from month to month. It is cancelled in writing,
by letter or e-mail, with 30 days' notice to the end of a month.
## Freezing
A member may freeze the membership for one to three months a year, for instance because of injury, pregnancy or work
abroad. While it is frozen a fee of £5 a month is charged.
## Rules of the house
Children under 14 may use the pool only with an adult. Lockers are emptied every night; what is found is kept for
four weeks. The club is not liable for valuables left in lockers.
"""

ROOF = """
# Contract for roof works
> Contract number PR-2417
Between Pritchard Roofing, Gwyn Pritchard, Unit 5, Station Yard, Llanfenni LD4 9XA (the Contractor) and Tom Verhoeven
(the Client), for Orchard Cottage, 3 Chapel Lane, Llanfenni LD4 9XX. Date: 28 April 2025.
## 1. The work
1.1 Strip the slates of the north slope (62 square metres), replace battens and felt, re-lay with the sound slates and
reclaimed Welsh slate.
1.2 Renew the lead flashing around the chimney and the valley gutter above the kitchen.
1.3 Remove all waste and leave the garden as it was found.
## 2. Price and payment
2.1 The fixed price is £8,640 including VAT.
| Instalment | Due | Amount |
| Deposit | on signing | £2,592 |
| Second payment | when the slates are stripped | £3,456 |
| Final payment | 14 days after handover | £2,592 |
2.2 Extra work is paid only if it was agreed in writing before it was begun. Rotten rafters are replaced at £48 a metre.
## 3. Dates
3.1 Work begins on 16 June 2025 and is handed over by 11 July 2025, weather permitting.
3.2 For each working day of delay that is the Contractor's fault the price is reduced by £60.
## 4. Guarantee
The Contractor guarantees workmanship for ten years from handover and passes on the felt manufacturer's guarantee of
fifteen years. Damage by storm above force 10 is not covered.
## 5. Insurance
The Contractor holds public liability insurance of £5,000,000 with Brecon Trade Mutual, policy BTM-60932.
## 6. Disputes
The parties first try to settle a dispute with the help of the Powys Builders' Guild.
> Gwyn Pritchard, for Pritchard Roofing
> Tom Verhoeven
"""

HOME_POLICY = """
# Albion Mutual – Home contents insurance
> Policy number: AM-HC-7729041
> Policyholders: Marta Hollis and Tom Verhoeven
> Insured address: Flat 2, 14 Tanner's Row, Bristol BS3 9ZZ
> Period of insurance: 1 February 2025 to 31 January 2026
## Your cover at a glance
| Cover | Limit | Excess |
| Contents in total | £45,000 | £150 |
| Single valuable item | £2,500 | £150 |
| Bicycles, each | £750 | £100 |
| Musical and sound equipment used for work | £4,000 | £250 |
| Escape of water | £45,000 | £350 |
| Freezer food | £400 | £50 |
The yearly premium is £212.40, paid in twelve instalments of £17.70.
## Section 1. What is insured
1.1 We insure your household goods against fire, explosion, lightning, storm, flood, theft after forced entry, riot and
escape of water from pipes and appliances.
1.2 Bicycles are insured in the locked cellar of the building and, away from home, when locked to an immovable object.
1.3 Accidental damage is not included. It can be added for £38 a year.
---
## Section 2. What is not insured
2.1 Wear, damp, vermin, and damage by pets.
2.2 Theft while the flat has been left unoccupied for more than 45 days in a row.
2.3 Money above £300, and motor vehicles.
## Section 3. Claims
3.1 Tell us about a loss as soon as you can and no later than 30 days after you noticed it: 01632 960 377 or
claims@albion-mutual.example.
3.2 Report theft and vandalism to the police within 48 hours and send us the crime reference.
3.3 Keep damaged things until we have told you that you may throw them away.
3.4 We settle new for old, except for clothes and bicycles older than five years, which we settle at their present value.
## Section 4. Ending the policy
4.1 You may cancel within 14 days of receiving these documents and get the premium back.
4.2 After that you may cancel with one month's notice; we return the premium for the unused months less £20.
4.3 The policy renews itself for a year unless one of us ends it one month before the period runs out.
## Section 5. Complaints
Write to the Customer Council of Albion Mutual, 2 Chandos Square, Leeds LS1 9YT. If you are not content after eight
weeks you may turn to the Insurance Mediator.
"""

SOUND_HIRE = """
# Framework agreement for sound services
Between Halcyon Theatre Trust, 17 Playhouse Street, Cardiff CF10 9TT (the Theatre) and Tom Verhoeven, trading as
Verhoeven Sound (the Engineer). Date: 3 September 2024.
## 1. Services
The Engineer designs and runs the sound for productions of the Theatre that the two agree on one by one.
## 2. Fees
2.1 The fee is £280 for a day of rehearsal and £340 for a day with a performance. Travel from Bristol is paid at the
price of a standard return ticket.
2.2 Invoices are paid within 21 days. After that, interest of 4 % a year is due.
## 3. Cancelling a booking
If the Theatre cancels a booked day less than 10 days before it, half of the fee is due; less than 48 hours before it,
the whole fee.
## 4. Equipment
The Engineer brings his own mixing desk and microphones. The Theatre insures them on its premises up to £6,000.
## 5. Term
This agreement runs until 31 August 2026. Either side may end it with six weeks' notice.
> Dilys Morgan, General Manager, Halcyon Theatre Trust
> Tom Verhoeven
"""
