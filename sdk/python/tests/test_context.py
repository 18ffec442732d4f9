"""Which step is part of which, whatever happens between them."""

import asyncio
import dataclasses
import os
import threading
import unittest
from concurrent.futures import ThreadPoolExecutor
from unittest import mock

import plumbline
from plumbline import bind, observe

from .servers import WithIngest


class Context(WithIngest):
    def test_functions_that_call_each_other_are_nested_also_at_the_same_time(self):
        tracer = self.set_up()

        @tracer.observe(kind="tool")
        async def leaf(name):
            await asyncio.sleep(0)
            with tracer.step(f"leaf of {name}"):
                await asyncio.sleep(0)

        async def branch(name):
            async with tracer.step(name):
                await asyncio.sleep(0)
                await leaf(name)

        async def root():
            with tracer.step("root"):
                await asyncio.gather(branch("a"), branch("b"))

        asyncio.run(root())
        parents = self.parents()
        self.assertEqual([parents[name] for name in ("root", "a", "b", "leaf of a", "leaf of b")], [None, "root", "root", "leaf", "leaf"])
        self.assertEqual(len({step["run_id"] for step in self.ingest.taken()}), 1)

    def test_what_changes_after_the_end_of_a_step_is_not_recorded(self):
        tracer = self.set_up()
        seen = [1]
        with tracer.step("set") as step:
            step.set(attributes={"seen": seen}, model="m")
            step.event("looked", {"seen": seen})
        seen.append(2)
        step.set(model="late")
        step.event("late")
        with tracer.labels(attributes={"seen": seen}), tracer.step("labelled"):
            pass
        seen.append(3)
        steps = self.steps()
        self.assertEqual((steps["set"]["attributes"], steps["set"]["model"]), ({"seen": [1]}, "m"))
        self.assertEqual([event["attributes"] for event in steps["set"]["events"]], [{"seen": [1]}])
        self.assertEqual(steps["labelled"]["attributes"], {"seen": [1, 2]})

    def test_each_call_from_outside_is_a_run_of_its_own_counted_from_0(self):
        tracer = self.set_up()

        @observe(name="handle", type="agent")
        def handle():
            with tracer.step("inner"):
                pass

        handle()
        handle()
        tracer.flush()
        runs = {}
        for step in self.ingest.taken():
            runs.setdefault(step["run_id"], []).append(step["step_index"])
        self.assertEqual([sorted(indexes) for indexes in runs.values()], [[0, 1], [0, 1]])

    def test_a_run_groups_steps_without_one_around_them_and_its_labels_hold_for_all(self):
        tracer = self.set_up()
        with tracer.run("r-1", session_id="chat", tags=["vip"]) as run:
            with tracer.step("one", tags=["slow"]):
                pass
            with tracer.labels(user_id="u-1"), tracer.step("two", kind="tool"):
                pass
        with run.step("three"):
            pass
        with tracer.step("outside"):
            pass
        steps = self.steps()
        self.assertEqual({name: step["run_id"] == "r-1" for name, step in steps.items()}, {"one": True, "two": True, "three": True, "outside": False})
        self.assertEqual(set(self.parents().values()), {None})
        one, two = steps["one"], steps["two"]
        self.assertEqual((one["session_id"], one["tags"]), ("chat", ["vip", "slow"]))
        self.assertEqual((two["kind"], two["user_id"], two["session_id"], two["tags"]), ("tool", "u-1", "chat", ["vip"]))
        self.assertNotIn("session_id", steps["outside"])

    def test_several_tasks_can_be_inside_of_one_run(self):
        tracer = self.set_up()
        run = tracer.run("shared")

        async def task(n):
            async with run:
                await asyncio.sleep(0.001 * (3 - n))
                with tracer.step(f"t{n}"):
                    await asyncio.sleep(0.001 * n)
            with tracer.step(f"after {n}"):
                pass

        async def main():
            await asyncio.gather(*(task(n) for n in range(3)))

        asyncio.run(main())
        in_run = {name for name, step in self.steps().items() if step["run_id"] == "shared"}
        self.assertEqual(in_run, {"t0", "t1", "t2"})

    def test_a_function_keeps_its_arguments_result_name_and_errors(self):
        self.set_up()

        class Counter:
            n = 2

            @observe(kind="tool")
            def times(self, factor, *, plus=0):
                """Multiplies."""
                return self.n * factor + plus

        @observe
        def broken():
            raise KeyError("no")

        self.assertEqual(Counter().times(21, plus=1), 43)
        self.assertEqual((Counter.times.__name__, Counter.times.__doc__), ("times", "Multiplies."))
        with self.assertRaises(KeyError):
            broken()
        steps = self.steps()
        times = steps["times"]
        self.assertEqual((times["kind"], times["prompt"], times["output_code"]), ("tool", '{"factor": 21, "plus": 1}', "43"))
        self.assertEqual((steps["broken"]["status_success"], steps["broken"]["error_class"]), (False, "KeyError"))

    def test_arguments_of_any_kind_are_kept_without_harm(self):
        self.set_up()

        @dataclasses.dataclass
        class Point:
            x: int

        class Trap:
            def model_dump(self):
                raise RuntimeError("a trap")

        circle = {"point": Point(1), "set": {1}, "bytes": b"ab", "object": object(), "list": list(range(500))}
        circle["self"] = circle
        observe(name="circle")(lambda value: None)(circle)
        observe(name="trap")(lambda value: None)(Trap())
        observe(name="private", capture_input=False, capture_output=False)(lambda value: 1)("secret")
        steps = self.steps()
        kept = __import__("json").loads(steps["circle"]["prompt"])
        self.assertEqual((kept["point"], kept["set"], kept["bytes"], kept["object"], kept["self"]), ({"x": 1}, [1], "[2 bytes]", "[object]", "[…]"))
        self.assertEqual(len(kept["list"]), 201)
        self.assertEqual(steps["trap"]["prompt"], "[unreadable]")
        self.assertEqual((steps["private"]["prompt"], steps["private"].get("output_code")), ("", None))

    def test_a_generator_is_one_step_with_what_it_calls_inside(self):
        tracer = self.set_up()

        @observe
        def words():
            with tracer.step("in words"):
                pass
            answer = yield "a "
            yield answer

        made = words()
        self.assertEqual(next(made), "a ")
        with tracer.step("between"):
            pass
        self.assertEqual(made.send("plumb line"), "plumb line")
        self.assertRaises(StopIteration, next, made)
        parents = self.parents()
        self.assertEqual((parents["in words"], parents["between"]), ("words", None))
        self.assertEqual(self.steps()["words"]["output_code"], "a plumb line")

    def test_a_generator_that_is_left_is_aborted_and_one_that_is_thrown_into_can_answer(self):
        self.set_up()
        closed = []

        @observe
        def numbers():
            try:
                for n in range(9):
                    try:
                        yield n
                    except ValueError:
                        yield -1
            finally:
                closed.append(True)

        made = numbers()
        next(made)
        self.assertEqual(made.throw(ValueError()), -1)
        made.close()
        self.assertEqual(closed, [True])
        step = self.steps()["numbers"]
        self.assertEqual((step["aborted"], step["output_code"]), (True, "[0, -1]"))

    def test_an_asynchronous_generator_as_well(self):
        tracer = self.set_up()

        @observe
        async def numbers():
            for n in range(3):
                async with tracer.step(f"number {n}"):
                    await asyncio.sleep(0)
                yield n

        async def main():
            return [n async for n in numbers()]

        self.assertEqual(asyncio.run(main()), [0, 1, 2])
        self.assertEqual(self.parents()["number 2"], "numbers")
        self.assertEqual(self.steps()["numbers"]["output_code"], "[0, 1, 2]")

    def test_what_is_cancelled_is_aborted(self):
        self.set_up()

        @observe
        async def forever():
            await asyncio.Event().wait()

        async def main():
            task = asyncio.ensure_future(forever())
            await asyncio.sleep(0)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task

        asyncio.run(main())
        self.assertTrue(self.steps()["forever"]["aborted"])

    def test_threads_are_part_of_a_step_when_they_are_bound_to_it(self):
        tracer = self.set_up()

        def work(n):
            with tracer.step(f"work {n}"):
                pass

        with tracer.step("outer"), ThreadPoolExecutor(4) as pool:
            list(pool.map(bind(work), range(8)))
            alone = threading.Thread(target=work, args=("alone",))
            alone.start()
            alone.join()
        parents = self.parents()
        self.assertEqual({parents[f"work {n}"] for n in range(8)}, {"outer"})
        self.assertIsNone(parents["work alone"])
        indexes = [step["step_index"] for name, step in self.steps().items() if name != "work alone"]
        self.assertEqual(sorted(indexes), list(range(9)))

    def test_a_step_can_say_more_about_itself(self):
        tracer = self.set_up()
        with tracer.step("custom", kind="llm", input={"a": 1}) as step:
            step.set(model="in-house", usage={"input_tokens": 3, "output_tokens": 4}, attributes={"a": 1})
            step.set(attributes={"b": 2}, output_code="done")
            step.event("retried", {"n": 1})
        custom = self.steps()["custom"]
        self.assertEqual((custom["model"], custom["prompt"], custom["output_code"], custom["attributes"]), ("in-house", '{"a": 1}', "done", {"a": 1, "b": 2}))
        self.assertEqual(custom["events"][0]["name"], "retried")

    def test_without_a_tracer_nothing_is_recorded_and_nothing_changes(self):
        with mock.patch("plumbline._registry._registered", []):
            self.assertEqual(observe(lambda x: x + 1)(1), 2)
            self.assertEqual(list(observe(self._two)()), [1, 2])

    @staticmethod
    def _two():
        yield 1
        yield 2

    def test_after_shutdown_nothing_is_recorded_whatever_the_environment_says(self):
        tracer = self.set_up()
        tracer.shutdown(0)
        with mock.patch.dict(os.environ, {"PLUMBLINE_API_URL": self.ingest.url}):
            self.assertEqual(plumbline.observe(name="late")(lambda: 1)(), 1)
        self.assertEqual(self.ingest.requests, [])

    def test_an_error_that_cannot_be_shown_is_the_callers_own(self):
        class Mute(Exception):
            def __str__(self):
                raise KeyError("no text")

        tracer = self.set_up()

        @tracer.observe(name="fails")
        def fails():
            raise Mute

        with self.assertRaises(Mute):
            fails()
        self.assertEqual(self.steps()["fails"]["error"], "Mute")

    def test_a_tracer_that_is_not_enabled_sends_nothing(self):
        tracer = self.set_up(enabled=False)
        with tracer.step("x"):
            pass
        self.assertTrue(tracer.flush())
        self.assertEqual(self.ingest.requests, [])

    def test_the_version_is_that_of_the_package(self):
        self.assertRegex(plumbline.__version__, r"^\d+\.\d+\.\d+$")


if __name__ == "__main__":
    unittest.main()
