"""Pages of the site, and the lab API."""

from django.urls import path

from lessons import lab_api, views

urlpatterns = [
    path("", views.home, name="home"),
    path("courses/", views.course_list, name="course_list"),
    path("courses/<slug:course>/", views.course, name="course"),
    path("courses/<slug:course>/media/<path:path>", views.course_media, name="course_media"),
    path("courses/<slug:course>/<slug:chapter>/<slug:lesson>/", views.lesson, name="lesson"),
    path("courses/<slug:course>/<slug:chapter>/<slug:lesson>/done/", views.lesson_done, name="lesson_done"),
    path("labs/", lab_api.start, name="lab_start"),
    path("labs/<uuid:lab_id>/", lab_api.show, name="lab"),
    path("labs/<uuid:lab_id>/keep/", lab_api.keep, name="lab_keep"),
    path("labs/<uuid:lab_id>/stop/", lab_api.stop, name="lab_stop"),
]
