
"""Letters from insurers, school, doctors and others. Everyone and everything in them is invented."""

CAR_RENEWAL = """
> Marlow Direct Insurance
> PO Box 318, Reading RG1 9MD
> 3 March 2026
> Ms Marta Hollis, Flat 2, 14 Tanner's Row, Bristol BS3 9ZZ
# Your motor insurance is due for renewal
> Policy: MD/482-19937
> Vehicle: Skoda Octavia Estate, WX19 KLO
Dear Ms Hollis,
your present policy ends at midnight on 7 April 2026. If you do nothing we will renew it from 8 April 2026 for a year.
The new premium is £468.15. Last year you paid £431.90. The increase follows the rise in the cost of repairs.
Your no-claims bonus grows to six years. The compulsory excess stays at £250 and the voluntary excess at £100.
Named drivers are Marta Hollis and Tom Verhoeven. Driving in the European Union is covered for up to 90 days a year.
Breakdown assistance is not part of your policy; you can add it for £54 a year.
To change or cancel the renewal, call 01632 960 518 before 31 March 2026.
Yours sincerely,
> Colin Abara
> Renewals team
"""

HOME_RENEWAL = """
> Albion Mutual
> 2 Chandos Square, Leeds LS1 9YT
> 18 December 2025
# Renewal of your home contents policy AM-HC-7729041
Dear Ms Hollis and Mr Verhoeven,
thank you for insuring your home with us. From 1 February 2026 your yearly premium will be £229.80, in twelve
instalments of £19.15.
We have changed two things. The limit for each bicycle rises from £750 to £1,200. The excess for escape of water rises
from £350 to £450.
As you asked on the telephone on 9 December, accidental damage is now included.
Everything else stays as it is. If you do not wish to renew, tell us by 31 December 2025.
Yours sincerely,
> Fiona Drummond
> Customer service
"""

CLAIM = """
> Albion Mutual – Claims
> 2 Chandos Square, Leeds LS1 9YT
> 26 November 2025
# Claim AM-C-250917: theft of a bicycle
Dear Ms Hollis,
we have looked at your claim of 3 November 2025 for a bicycle, make Corvane Tour 7, stolen on 30 October 2025 from the
railings at Temple Meads station, crime reference 5225/118204.
We accept the claim. The bicycle cost £890 in 2022 and the limit for a bicycle is £750. After the excess of £100 we
pay £650 to your account within five working days.
Please send us the key of the lock if you still have it. A receipt for the lock is not needed any more.
Yours sincerely,
> Harjit Bains
> Claims handler
"""

EYE_CLINIC = """
> Avonmouth Eye Clinic
> Consultant: Miss Leila Haddad
> Letter dictated 19 May 2025, typed 21 May 2025
> To: Dr Samuel Okoye, Riverside Surgery, Bristol
> Copy: the parents of Ella Hollis
# Ella Hollis, born 12 May 2015, hospital number AEC-209914
## Diagnosis
Mild short-sightedness of both eyes, right -1.25, left -1.00. No squint. The backs of both eyes are healthy.
## What we did
Ella was seen on 16 May 2025 after the school nurse had noticed that she could not read the board. Her pupils were
widened with cyclopentolate drops before the measurement.
## Plan
Glasses to be worn at school and for television. Two hours outdoors a day are recommended. We shall see her again in
six months. If the short-sightedness grows by more than half a dioptre in a year, low-dose atropine drops can be
discussed.
"""

PHYSIO = """
> Riverside Surgery, 5 Coronation Road, Bristol BS3 9PL
> 11 September 2025
# Tom Verhoeven: referral to physiotherapy
Dear Mr Verhoeven,
the scan of your left shoulder of 2 September shows an inflamed tendon (supraspinatus) and no tear. I have referred
you to Jana Novak at Southville Physiotherapy for six sessions. The surgery pays for them; you need only bring this letter.
Please take ibuprofen 400 mg no more than three times a day with food and for no longer than ten days. Do not lift
more than 5 kg above the shoulder until Ms Novak agrees.
If there is no progress after the sixth session we shall think about an injection of cortisone.
With good wishes,
> Dr Samuel Okoye
"""

VACCINATION = """Riverside Surgery, 5 Coronation Road, Bristol BS3 9PL
14 January 2025

Jonas Verhoeven, born 3 October 2019
Record of vaccinations

MMR, first dose: 9 October 2020
MMR, second dose: 12 February 2023
4-in-1 pre-school booster: 12 February 2023
Flu (nasal spray): 8 November 2024

Jonas had a rash for two days after the flu spray. It was harmless and is noted in his record as a mild reaction.
The next vaccination that is due is the flu spray in autumn 2025.

Nurse Bethan Lloyd
"""

DENTIST = """# Redcliffe Dental – estimate

Patient: Marta Hollis
Date: 6 October 2025
Dentist: Dr Ewa Kowalczyk

| Tooth | Treatment | Fee |
| --- | --- | --- |
| 36 | Ceramic crown | £540.00 |
| 36 | Core build-up | £85.00 |
| 14 | White filling, two surfaces | £120.00 |

Total: £745.00. The estimate is valid for three months.

The crown needs two visits, about two weeks apart. A deposit of £150 is due when the first visit is booked.
"""

SCHOOL_REPORT = """
> St Brannock's Primary School
> Dean Lane, Bristol BS3 9SB
> July 2025
# Report for Ella Hollis, Year 5
Class teacher: Mr Callum Fraser. Attendance: 96.2 %. Days absent: seven, all explained.
| Subject | Attainment | Effort |
| Reading | above expected | excellent |
| Writing | expected | good |
| Mathematics | above expected | excellent |
| Science | expected | good |
| Music | above expected | excellent |
## Class teacher's remarks
Ella reads widely and asks good questions. Since she has had her glasses her spelling has improved a great deal. Her
project about bridges was the best in the class. In writing she should plan before she starts and check her commas.
## Head teacher's remarks
A pleasure to have in the school. Well done for organising the book swap. Helen Adeyemi, Head Teacher
"""

SCHOOL_TRIP = """
> St Brannock's Primary School
> 12 January 2026
# Year 6 residential trip to Plas Derwen
Dear parents and carers,
from Monday 18 May to Friday 22 May 2026 Year 6 will go to the outdoor centre Plas Derwen in Snowdonia. The children
will canoe, climb and walk, always with qualified instructors.
The price is £345 a child. It covers the coach, all meals and the activities. Please pay a deposit of £75 by 6 February
2026 and the rest by 24 April 2026 through the school's payment page.
Each child needs waterproofs, walking boots, a torch and a sleeping bag. Telephones stay at home. Pocket money is limited to £15.
Please return the medical form by 13 March 2026, also if your child takes no medicine. Families who receive free school
meals pay £60 in total.
The information evening is on Thursday 5 March 2026 at 18.30 in the hall.
Yours sincerely,
> Helen Adeyemi
> Head Teacher
"""

AFTER_SCHOOL = """St Brannock's Primary School - After-school club, autumn 2025

Jonas Verhoeven (Reception, class Otters) has a place in the after-school club on Mondays, Tuesdays and Thursdays.

The club is open from 15.15 to 18.00. A session costs £9.50. Children who are picked up after 18.00 are charged £5 for
every ten minutes.

Who may pick Jonas up: Marta Hollis, Tom Verhoeven, June Hollis (grandmother). The password for anyone else is agreed
with the office.

Allergies noted: hazelnuts. The club keeps his antihistamine syrup in the office cupboard.

Leaving the club: half a term's notice, in writing to office@st-brannocks.example.
"""

COUNCIL_TAX = """
> Bristol Harbourside Borough, Revenues, PO Box 77, Bristol BS1 9RV
> 14 March 2025
# Council tax bill 2025/26
> Account: 7 201 885 3
> Property: Flat 2, 14 Tanner's Row, Bristol BS3 9ZZ
> Band: C
| Part | Amount |
| Borough | £1,712.40 |
| Police | £254.16 |
| Fire and rescue | £78.00 |
| Total for the year | £2,044.56 |
Payment by direct debit: £204.60 on 1 April 2025, then nine instalments of £204.44 on the first of each month from May
2025 to January 2026. Nothing is collected in February and March.
If you disagree with the band you may write to the Valuation Tribunal within six months of moving in.
"""

BOILER = """
> Tregear Heating Ltd, 61 Bedminster Parade, Bristol BS3 9HL
> Gas register number 553817
# Service report and invoice TH-26-0388
> Date of visit: 24 March 2026
> Customer: Anna Whitcombe, for Flat 2, 14 Tanner's Row
The boiler (Vireo Compact 28, serial number VC28-0093317) had lost pressure. Our engineer Dean Tregear replaced the
expansion vessel and the pressure relief valve, refilled the system to 1.4 bar and tested for leaks.
| Item | Amount |
| Call-out and first hour | £95.00 |
| Expansion vessel, 8 litres | £112.00 |
| Pressure relief valve | £34.50 |
| VAT 20 % | £48.30 |
| To pay | £289.80 |
The flue gas reading is within limits. The heat exchanger shows limescale; we recommend descaling it before next winter.
Payment within 14 days, please. Parts are guaranteed for two years.
"""

VET = """
> Windmill Hill Veterinary Practice, 2 Cotswold Road, Bristol BS3 9NB
> Invoice 88-4102
> 29 April 2025
# Invoice for Biscuit
> Owner: Tom Verhoeven
> Animal: Biscuit, domestic shorthair cat, neutered, born about 2021
> Microchip: 956000012845670
| Treatment | Amount |
| Consultation | £48.00 |
| Blood test, thyroid and kidneys | £96.00 |
| Dental cleaning under anaesthetic | £215.00 |
| Extraction of one molar | £62.00 |
| Painkiller, five days | £18.50 |
| Total including VAT | £439.50 |
Soft food for a week. Please come back on 6 May for a check of the wound, which costs nothing.
The blood values are normal for his age. His next vaccination is due in September 2025.
> Dr Petra Lindgren
"""

ELECTRICITY = """
> Greenmoor Energy
> 9 January 2026
# Your electricity statement
> Customer: Marta Hollis
> Account: 6650 4418 02
> Meter: L73 18842
> Period: 8 October 2025 to 7 January 2026
| Reading | Date | kWh |
| Opening | 8 October 2025 | 21 406 |
| Closing (you gave it) | 7 January 2026 | 22 258 |
You used 852 kWh. At 24.8 p a kWh that is £211.30. The standing charge for 92 days at 51.2 p is £47.10. With VAT of 5 %
(£12.92) the bill comes to £271.32.
You paid £240.00 by direct debit. The balance of £31.32 is added to the next statement. From 1 February 2026 your direct debit
rises from £80 to £92 a month.
"""

WILL_NOTES = """# Notes for the will (talk with Mrs Sedgwick, 21 February 2026)

- Guardians for Ella and Jonas: first Ingrid Verhoeven, if she cannot then June Hollis.
- Executors: Marta and Tom for each other, and Mrs Sedgwick's firm (Sedgwick & Rowe) as a substitute.
- Orchard Cottage goes to both children in equal shares, in trust until the younger is 23.
- Fee quoted: £620 plus VAT for two mirror wills. The draft is promised for the end of March.
- To bring: birth certificates of the children, the deed of the cottage, the last pension statements.

Still open: who looks after Biscuit.
"""

RECIPES = """# Oma Verhoeven's pea soup

For eight. Soak nothing, split peas need no soaking.

- 500 g split green peas
- 1 smoked sausage, about 375 g
- 400 g celeriac, 3 leeks, 2 carrots, 1 onion
- 2.5 litres of water, 2 bay leaves

Boil the peas with the bay leaves for 45 minutes and take off the foam. Add the vegetables in small pieces and cook for
another 40 minutes. Warm the sausage in the soup for the last quarter of an hour. It is better the next day: a spoon
should stand in it.
"""

COTTAGE_NOTES = """Orchard Cottage - things to know (for guests and for us)

Key: with Mrs Bronwen Price at number 7, or in the key safe by the coal shed. The code of the safe is changed every Easter.
Water: the stopcock is under the kitchen sink, behind the blue bucket. Turn it off when you leave in winter.
Stove: burn only dry wood. The chimney was swept in October 2024 and again in September 2025 by Huw Bevan.
Bins: black bin every second Tuesday, recycling every Tuesday. Put them out by 7 in the morning.
Wi-Fi: none. There is reception by the gate.
Septic tank: emptied in August 2023 by Fenni Drains; has to be done every three years, so again in August 2026.
Oil: the tank holds 1,000 litres. Last filled on 14 October 2025, 640 litres at 71 p a litre.
"""
