import pytest

from cxrnet.model.patient import Category, Number, PatientConfig

AGE, SEX = Number(name="age", mean=50.0, sd=20.0), Category(name="sex", categories=("F", "M"))
CONFIG = PatientConfig(columns=(AGE, SEX))


def test_inputs_are_named_after_columns_and_categories():
    assert CONFIG.inputs == ("age", "age missing", "sex F", "sex M", "sex missing")


@pytest.mark.parametrize(
    ("values", "inputs", "missing", "unusable"),
    [
        ({"age": "70", "sex": "M"}, [1, 0, 0, 1, 0], (), ()),
        ({"age": " 4e1 ", "sex": "f", "name": "x"}, [-0.5, 0, 1, 0, 0], (), ()),
        ({"age": "50"}, [0, 0, 0, 0, 1], ("sex",), ()),
        ({"age": "NaN", "sex": "unknown"}, [0, 1, 0, 0, 1], ("age", "sex"), ()),
        ({"age": "045Y", "sex": "X"}, [0, 1, 0, 0, 1], (), ("age", "sex")),
        ({"age": "999"}, [0, 1, 0, 0, 1], ("sex",), ("age",)),
        ({"age": "inf", "sex": "M"}, [0, 1, 0, 1, 0], (), ("age",)),
    ],
)
def test_missing_and_unusable_values_set_an_input_of_their_own(values, inputs, missing, unusable):
    encoded = CONFIG.encode(values)
    assert (encoded.inputs.tolist(), encoded.missing, encoded.unusable) == (inputs, missing, unusable)


def test_categories_that_differ_in_case_only_are_refused():
    with pytest.raises(ValueError, match="categories of sex are"):
        Category(name="sex", categories=("f", "F"))
