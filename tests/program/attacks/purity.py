"""Programs that remember, look at a clock, or let chance answer.

No layer of the sandbox minds. Each answers differently when it is asked again, later or by another process: what
screening does not refuse, the replay audit must find.
"""

from .attack import Attack


def impure(name: str, body: str) -> Attack:
    return Attack(name, "answer", body)


SCREENED = (
    impure("remembers_in_a_module", "np.kept = getattr(np, 'kept', 0) + 1\nreturn bool(np.kept > 1)"),
    impure("remembers_in_cv2", "seen = hasattr(cv2, 'kept')\ncv2.kept = True\nreturn seen"),
    impure(
        "remembers_in_builtins",
        "import builtins\nseen = hasattr(builtins, 'kept')\nbuiltins.kept = 1\nreturn seen",
    ),
    impure(
        "remembers_among_modules",
        "import sys\nseen = 'kept' in sys.modules\nsys.modules['kept'] = sys\nreturn seen",
    ),
    impure(
        "remembers_the_last_frame",
        """
        import sys
        seen = sys.modules.get("kept")
        sys.modules["kept"] = int(frame[0, 0, 0])
        return seen is not None and seen < frame[0, 0, 0]
        """,
    ),
    impure(
        "remembers_in_settings",
        "seen = np.geterr()['under'] == 'call'\nnp.seterrcall(print)\nnp.seterr(under='call')\nreturn float(np.getbufsize() != np.setbufsize(np.getbufsize() + 16)) / 2 + (np.getbufsize() > 8300) / 4",
    ),
    impure(
        "remembers_in_print_options",
        "seen = np.get_printoptions()['edgeitems']\nnp.set_printoptions(edgeitems=seen + 1)\nreturn bool(seen > 3)",
    ),
    impure("remembers_in_type_codes", "seen = 'kept' in np.typecodes\nnp.typecodes['kept'] = 1\nreturn seen"),
    impure("random_numbers_of_numpy", "return float(np.random.rand())"),
    impure("random_numbers_without_a_seed", "return float(np.random.random_sample(3).sum() / 3)"),
    impure("ticks_of_cv2", "return float(cv2.getTickCount() % 99991) / 99991"),
    impure("clock", "import time\nreturn time.perf_counter_ns() % 99991 / 99991"),
    impure("address_of_an_object", "return id(frame) % 99991 / 99991"),
    impure(
        "number_of_the_process",
        "cv2.setRNGSeed(int(cv2.getTickCount() % 2**31))\nreturn float(cv2.randu(np.zeros((1, 1)), 0, 1)[0, 0])",
    ),
    impure(
        "reads_what_nobody_has_set",
        "seen = bool((np.ndarray((40,)) == 77).any())\nkept = np.ndarray((40,))\nkept[:] = 77\nreturn seen",
    ),
    impure(
        "remembers_in_a_list_of_typing",
        "import typing\nseen = 'kept' in typing.EXCLUDED_ATTRIBUTES\ntyping.EXCLUDED_ATTRIBUTES.append('kept')\nreturn seen",
    ),
    impure(
        "clock_by_typing",
        "import typing\ntools = typing.stdlib_re.enum.bltns\nmodules = tools.getattr(typing.stdlib_re.enum, 'sys').modules\nreturn tools.getattr(modules['time'], 'perf_counter_ns')() % 99991 / 99991",
    ),
    impure(
        "evaluates_an_annotation",
        "import typing\ndef f(x: '__import__(\"time\").perf_counter_ns() % 99991 / 99991 and __import__(\"builtins\").__dict__.update(kept=1)'):\n    pass\nseen = 'kept' in f'{typing.stdlib_re.enum.bltns.dir(typing.stdlib_re.enum.bltns)}'\ntry:\n    typing.get_type_hints(f)\nexcept TypeError:\n    pass\nreturn seen",
    ),
)

DATES = (
    impure("date_of_numpy", "return float(np.datetime64('now', 'ns').astype(np.int64) % 99991) / 99991"),
    impure("date_by_dtype", "return float(np.array('now', 'M8[ns]').astype(np.int64) % 99991) / 99991"),
)
"""Screened, too; the audit would have to wait for the date to change."""

NOT_SCREENED = (
    impure(
        "remembers_behind_the_frame",
        "wide = np.lib.stride_tricks.as_strided(frame, (3080,), (1,))\nseen = bool(wide[3079] == 77)\nwide[3079] = 77\nreturn seen",
    ),
    impure(
        "remembers_in_flags_of_the_buffer",
        "seen = not frame.base.flags.aligned\nframe.base.setflags(align=False)\nreturn bool(seen)",
    ),
    impure(
        "remembers_in_a_dictionary_of_numpy", "seen = 'kept' in np.nbytes\nnp.nbytes['kept'] = 1\nreturn seen"
    ),
    impure("remembers_in_another_dictionary", "seen = 'kept' in np.cast\nnp.cast['kept'] = 1\nreturn seen"),
    impure(
        "remembers_in_a_polynomial",
        "seen = int(np.polynomial.Polynomial.domain[0])\nnp.polynomial.Polynomial.domain[0] = 5\nreturn bool(seen == 5)",
    ),
    impure(
        "remembers_in_a_constant_of_numpy",
        "seen = int(np.polynomial.hermite.hermzero[0])\nnp.polynomial.hermite.hermzero[0] = 7\nreturn bool(seen == 7)",
    ),
    impure(
        "remembers_in_a_masked_array",
        "kept = np.ma.empty(40)\nseen = bool((kept == 77).sum() > 9)\nkept[:] = 77\nreturn seen",
    ),
    impure(
        "remembers_in_records",
        "kept = np.recarray((40,), [('x', '<f8')])\nseen = bool((kept.x == 77).sum() > 9)\nkept.x[:] = 77\nreturn seen",
    ),
    impure(
        "address_in_a_text", "return int(f'{(lambda: 1)}'.split(' at 0x')[1].rstrip('>'), 16) % 99991 / 99991"
    ),
    impure("address_of_an_array", "return float(np.byte_bounds(frame)[0] % 99991) / 99991"),
    impure("number_of_the_thread", "return cv2.getThreadNum() % 99991 / 99991"),
)

IMPURE = SCREENED + NOT_SCREENED
