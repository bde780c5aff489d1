"""Compiled inside of `radio.messages.packets`: one tick of every policy, delivered and counted in one call."""

from __future__ import annotations

from numba import njit

from radio.figures.kpi_kernels import accumulate
from radio.figures.tails_kernels import add_margins
from radio.messages.delivery_kernel import run_tick
from radio.messages.delivery_symbols import BusyArray
from radio.messages.delivery_tables import Books, Fixed, Orders
from radio.types import BoolArray, FloatArray, IntArray


@njit(cache=True, fastmath=False)
def run_all(
    time_us: int, dt_us: int, rows: IntArray, legs: IntArray, usable: BoolArray, repetitions: IntArray, plan_db: FloatArray,
    levels: FloatArray, whom: IntArray, finished: IntArray, seed: int, numbers: FloatArray, grid_i: IntArray, grid_f: FloatArray,
    mcs_symbols: IntArray, required_db: FloatArray, video_required_db: FloatArray, efficiency: FloatArray, circular: FloatArray,
    available: IntArray, shares: IntArray, streams: IntArray, used: BusyArray, shared: BusyArray, queue_i: IntArray, queue_f:
    FloatArray, n_queue: IntArray, scratch: IntArray, result_i: IntArray, result_f: FloatArray, result_ok: BoolArray, spent:
    IntArray, by_service: IntArray, by_slice: IntArray, load: FloatArray, service: IntArray, survival: IntArray, history:
    FloatArray, seen: IntArray, units: FloatArray, latency: IntArray, causes: IntArray, load_sum: FloatArray, last_leg: IntArray,
    counts: IntArray, block_us: IntArray, ue: IntArray, ring: FloatArray, ring_state: FloatArray, margins: IntArray,
    margin_block_us: IntArray,
) -> None:  # fmt: skip
    """Run `run_tick`, `accumulate` and `radio.figures.tails_kernels.add_margins`, whose parameters these are, for some policies.

    Parameters
    ----------
    rows : (K,) rows of the tables, which have a leading axis of P policies, and of their plans: ``legs`` (P, 2, U, 2),
        ``usable`` (P, U, 2), ``repetitions`` (P, U), ``plan_db`` (P, 4, U).
    levels, whom : (K, ...) states of the legs, see `radio.types.LinkStates`.
    finished : (P,) written, messages that each policy finished.
    """
    fixed = Fixed(
        seed, numbers, grid_i, grid_f, mcs_symbols, required_db, video_required_db, efficiency, circular, available, shares
    )
    for k in range(rows.size):
        p = rows[k]
        orders = Orders(legs[p], usable[p], repetitions[p], plan_db[p])
        books = Books(used, shared, spent[p], by_service[p], by_slice[p])
        n_queue[p], finished[p] = run_tick(
            time_us, dt_us, fixed, streams[p], orders, levels[k], whom[k], books, queue_i[p], queue_f[p], n_queue[p], scratch,
            result_i[p], result_f[p], result_ok[p], load[p],
        )  # fmt: skip
        accumulate(
            result_i[p], result_f[p], result_ok[p], finished[p], spent[p], available, legs[p], service, survival,
            history[p], seen[p], units[p], latency[p], causes[p], load_sum[p], last_leg[p], counts[p], block_us[p],
        )  # fmt: skip
        add_margins(
            result_i[p], result_f[p], finished[p], streams[p], numbers, grid_i, grid_f, mcs_symbols, efficiency,
            legs[p, 0, :, 1], ue, service, survival, block_us[p], margin_block_us[p], ring[p], ring_state[p], margins[p],
        )  # fmt: skip
