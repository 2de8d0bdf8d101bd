"""Words that people take as passwords: our own list, from no other, and far from complete.

It is meant to show that a hash is no protection for such a word, not to break one.
"""

from __future__ import annotations

from collections.abc import Iterator

WORDS = """
password passwort passw0rd p4ssw0rd pa55word pass1234 passpass pass secret geheim letmein welcome welkom willkommen
bienvenue admin administrator root toor user guest test tester testing demo default changeme changeit temp temporary
login logon master manager system service server backup support operator oracle postgres mysql mssql sa sql database
ftp ssh web www http apache nginx tomcat jboss weblogic cisco router switch firewall ubnt raspberry alpine vagrant
docker kubernetes jenkins ansible nagios zabbix grafana elastic kibana redis mongo mongodb rabbitmq hadoop spark
github gitlab windows linux ubuntu debian redhat centos fedora apple google microsoft amazon facebook twitter
instagram linkedin netflix spotify samsung nokia internet computer laptop desktop office wireless network security
private public access hello hallo bonjour hola ciao world helloworld iloveyou loveyou love lovely lover sweetheart
darling honey baby babygirl angel princess prince queen king kingdom dragon monster tiger lion wolf bear eagle falcon
shadow ghost ninja samurai warrior knight soldier hunter ranger killer pirate wizard magic merlin gandalf frodo
batman superman spiderman ironman starwars skywalker pokemon pikachu naruto minecraft mario zelda sonic football
fussball futbol soccer baseball basketball hockey tennis golf cricket rugby arsenal chelsea liverpool manchester
barcelona madrid juventus milan dortmund bayern yankees lakers cowboys steelers ferrari porsche mercedes mustang
corvette camaro harley yamaha honda toyota summer winter spring autumn sommer herbst frühling january february march
april may june july august september october november december monday tuesday wednesday thursday friday saturday
sunday montag freitag sonntag london paris berlin madrid vienna rome moscow tokyo newyork chicago boston dallas
houston texas california florida canada germany france england scotland ireland america australia michael jennifer
jessica ashley amanda nicole michelle daniel daniela andrew anthony joshua matthew robert william thomas george
charlie jordan taylor harley buster bailey pepper ginger cookie chocolate cheese banana orange apple cherry peach
lemon melon strawberry coffee pizza burger butter sugar candy flower rose lily daisy sunshine rainbow moonlight
starlight thunder lightning storm hurricane tornado snow snowball ocean river mountain forest island beach sunset
silver golden diamond crystal platinum copper purple yellow blue green red black white pink phoenix unicorn butterfly
dolphin monkey donkey turtle rabbit bunny kitty kitten puppy doggy hamster horse pony chicken spider scorpion snake
freedom liberty justice victory success money million dollar lucky happy smile peace heaven hell devil demon satan
jesus christ god faith hope trust trustno1 forever always never nothing something whatever whoami letmein1 open
opensesame sesame enter entry hunter2 correct horse battery staple matrix neo trinity oracle morpheus starbucks
alexander alexandra maria marie anna julia laura sophie peter paul martin stefan andreas christian sebastian
qwerty qwertz azerty qwertyuiop qwertzuiop asdf asdfgh asdfghjkl zxcvbn zxcvbnm yxcvbnm qweasd qweasdzxc qazwsx
qazwsxedc 1qaz2wsx 1q2w3e 1q2w3e4r 1q2w3e4r5t q1w2e3r4 zaq12wsx !qaz2wsx abc abcd abcde abcdef abcdefg abc123 abcd1234
a1b2c3 a1b2c3d4 aa123456 123abc 1234abcd 123qwe 123qweasd qwe123 asd123 zxc123 admin123 admin1234 root123 test123
test1234 user123 guest123 pass123 p@ssw0rd p@ssword p@$$w0rd p@55w0rd Pa$$w0rd s3cret s3cr3t l3tm31n adm1n r00t t00r
0 1 12 123 1234 12345 123456 1234567 12345678 123456789 1234567890 0123456789 987654321 87654321 7654321 654321 54321
4321 321 111 1111 11111 111111 1111111 11111111 000 0000 00000 000000 00000000 222222 333333 444444 555555 666666
777777 7777777 888888 88888888 999999 121212 123123 123321 112233 11223344 131313 101010 102030 123654 147258
147258369 159753 159357 789456 456789 696969 2000 1999 2020 2021 2022 2023 2024 2025 2026 007 foo bar baz foobar x xxx
xxxxxx zzzzzz aaa aaaa aaaaaa qqqqqq asdasd qweqwe blahblah blink182 metallica nirvana eminem slipknot greenday
""".split()
ENDS = ("1", "12", "123", "1234", "!", "1!", "123!", "2024", "2025", "2026", "@123")


def words() -> list[str]:
    """The list, each word once."""
    return list(dict.fromkeys(WORDS))


def candidates() -> Iterator[str]:
    """Each word as it is, with a capital, in capitals, and with the ends that people add; each once."""
    base = words()
    plain = [spelling for word in base for spelling in (word, word.capitalize(), word.upper())]
    ended = [start + end for word in base for start in (word, word.capitalize()) for end in ENDS]
    yield from dict.fromkeys(["", *plain, *ended])
