"""Grubhub's Meal Delivery Routing Problem: its instances, its rules, and policies run on it.

Source: Reyes, Erera, Savelsbergh, Sahasrabudhe, O'Neil, "The Meal Delivery Routing Problem"
(2018). Times are minutes from the instance's midnight, places are metres on a plane.
"""
