import pytest

from cxrnet.node.objects.values import conforming


@pytest.mark.parametrize(
    ("keyword", "representation", "given", "wanted"),
    [
        ("StudyDate", "DA", "20200102", "20200102"),
        ("StudyDate", "DA", "2020.01.02", "20200102"),
        ("StudyDate", "DA", "2020-1-2", "20200102"),
        ("StudyDate", "DA", "20200102101112", "20200102"),
        ("StudyDate", "DA", "02/01/2020", None),
        ("StudyDate", "DA", "2020112", None),
        ("StudyDate", "DA", "20201302", None),
        ("StudyDate", "DA", "00010101", None),
        ("StudyTime", "TM", "9:05:01", "090501"),
        ("StudyTime", "TM", "12.34.56", "123456"),
        ("StudyTime", "TM", "235960.5", "235959"),
        ("TimezoneOffsetFromUTC", "SH", "+01:00", "+0100"),
        ("TimezoneOffsetFromUTC", "SH", "-0000", None),
        ("TimezoneOffsetFromUTC", "SH", "UTC", None),
        ("PatientName", "PN", "Doe^\x1b[31mJo", "Doe^ [31mJo"),
        ("StudyTime", "TM", "101112.5", "101112.5"),
        ("StudyTime", "TM", "10:11:12", "101112"),
        ("StudyTime", "TM", "101112.1234567", "101112.123456"),
        ("StudyTime", "TM", "256199", None),
        ("StudyTime", "TM", "noon", None),
        ("PatientAge", "AS", "062Y", "062Y"),
        ("PatientAge", "AS", "62 years", "062Y"),
        ("PatientAge", "AS", "62", None),
        ("PatientWeight", "DS", "80.5", "80.5"),
        ("PatientWeight", "DS", "80,5", "80.5"),
        ("PatientWeight", "DS", "1,234", None),
        ("PatientSize", "DS", "180 cm", None),
        ("PatientSize", "DS", "1.8000000000000000001", "1.8"),
        ("PatientWeight", "DS", "NaN", None),
        ("PatientSex", "CS", "Male", "M"),
        ("PatientSex", "CS", "W", None),
        ("TypeOfPatientID", "CS", "text", "TEXT"),
        ("TypeOfPatientID", "CS", "a-b", None),
        ("ReferencedSOPInstanceUID", "UI", "1.02.3", "1.02.3"),
        ("ReferencedSOPInstanceUID", "UI", "x", None),
        ("ReferencedSOPInstanceUID", "UI", "1..3", None),
        ("ReferencedSOPInstanceUID", "UI", "3.1.2", None),
        ("StudyDescription", "LO", "CHEST\\PA\nAP", "CHEST/PA AP"),
        ("StudyDescription", "LO", "D" * 70, "D" * 64),
        ("PatientID", "LO", "1" * 65, None),
        ("PatientID", "LO", "Ä" * 64, "Ä" * 64),  # characters, not bytes
        ("PatientID", "LO", "Ä" * 65, None),
        ("PatientName", "PN", "山" * 64 + "=" + "田" * 64, "山" * 64 + "=" + "田" * 64),
        ("PatientName", "PN", "山" * 65, "山" * 64),
        ("AccessionNumber", "SH", "A\\B", None),
        ("PatientComments", "LT", "one\r\ntwo\x01", "one\r\ntwo "),
        ("PatientName", "PN", "a^b^c^d^e^f=g=h=i", "a^b^c^d^e f=g=h"),
    ],
)
def test_conforming_keeps_rewrites_or_gives_up_a_value(keyword, representation, given, wanted):
    assert conforming(keyword, representation, given) == wanted
